"""The comparison from its command to its page, tiny: trained for a second, evaluated on one clip."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from avatar_app.cli import main
from avatar_app.errors import ConfigError
from avatar_app.evaluation.comparison.page import page
from avatar_app.evaluation.comparison.recipes import METHODS, NEEDS_FEATURES, SIZES, Terms, recipe
from avatar_app.training.data import load_store
from avatar_app.training.train import Run, open_objective
from tests.support.training import write_features, write_labelled_clips, write_moving_discs

SIDE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc that moves, without labels."""
    return write_moving_discs(tmp_path_factory.mktemp("clips"), SIDE, frames=5, train=2, test=2)


def words(data: Path, folder: Path, *more: str) -> list[str]:
    (folder / "out").mkdir(exist_ok=True)
    sizes = [
        "--minutes",
        "0.01",
        "--size",
        "64",
        "--width",
        "0.05",
        "--batch",
        "2",
        "--stride",
        "1",
        "--device",
        "cpu",
    ]
    places = ["--data", str(data), "--work", str(folder / "work"), "--output", str(folder / "out")]
    return ["compare", *places, *sizes, *more]


def test_from_the_command_to_the_page(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = ["--methods", "x2face", "monkeynet", "--limit", "3"]
    assert main(words(data, tmp_path, *methods)) == 0
    report = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [row["name"] for row in report["rows"]] == ["x2face", "monkeynet", "warp", "still"]
    assert all(row["figures"]["l1"] > 0 for row in report["rows"] if row["name"] != "warp")
    assert all(row["steps"] > 0 and row["size"]["frame_macs"] > 0 for row in report["rows"][:2])
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert "| Monkey-Net |" in text
    assert str(data) not in text
    sheet = cv2.imread(str(tmp_path / "out" / "comparison.jpg"))
    assert sheet is not None
    assert sheet.shape[1] == 4 * 144

    before = (tmp_path / "work" / "x2face" / "bundle" / "bundle.json").stat().st_mtime_ns
    assert main(words(data, tmp_path, *methods)) == 0
    assert (tmp_path / "work" / "x2face" / "bundle" / "bundle.json").stat().st_mtime_ns == before, (
        "trained again"
    )


def test_methods_that_need_a_feature_network_say_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(data, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "First Order Motion Model and ours (anchored) needs a feature network" in error
    assert error.count("\n") == 1


def test_our_model_alone_needs_landmarks(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = tmp_path / "features.pth"
    features.touch()
    assert main(words(data, tmp_path, "--methods", "anchored", "--features", str(features))) == 2
    assert "needs face landmarks" in capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", SIZES)
def test_every_method_can_be_built_at_every_size(method: str, size: int) -> None:
    """A larger width factor gives a larger network; factor 1 gives the published one."""
    counts = []
    for width in (0.25, 1.0):
        config = recipe(method, Terms(size=size, width=width))
        assert (config.objective, config.stages[0].size, config.stages[0].batch) == (method, size, 8)
        if method in ("fomm", "anchored"):
            continue  # their objectives need a feature network
        with torch.device("meta"):
            networks = open_objective(config, None, torch.device("meta")).networks
        counts.append(
            sum(
                weights.numel()
                for weights in networks["x2face" if method == "x2face" else "generator"].parameters()
            )
        )
    assert counts == sorted(set(counts))
    if size == 256 and counts:
        assert counts[1] == {"x2face": 64_771_840, "monkeynet": 80_629_691}[method]


@pytest.mark.parametrize("size", SIZES)
def test_the_perceptual_loss_is_never_shown_less_than_it_can_see(size: int) -> None:
    scales = recipe("fomm", Terms(size=size)).losses["scales"]
    assert scales[0] == 1
    assert min(scales) * size == 32


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_from_the_same_frames(method: str, tmp_path: Path) -> None:
    """Small pictures work too, with a feature network that cannot process a single pixel."""
    data = write_labelled_clips(tmp_path / "data", SIDE)
    features = write_features(tmp_path / "vgg.pth", distilled=True) if method in NEEDS_FEATURES else None
    config = recipe(method, Terms(size=SIDE, width=0.05, batch=2, stride=1))
    store = load_store(data, "train", SIDE, 1, stills=False)
    run = Run(config, open_objective(config, features, torch.device("cpu")), store, torch.device("cpu"))
    terms = run.advance()
    assert terms
    assert np.isfinite(list(terms.values())).all()


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="100 pixels"):
        recipe("fomm", Terms(size=100))


def test_the_page_says_what_is_missing() -> None:
    figures = {"l1": 0.05, "akd": None, "mkr": None, "aed": None, "psnr": 20.0, "ssim": 0.5}
    report = {
        "terms": {"minutes": 4.0, "size": 64, "batch": 8, "width": 0.25},
        "hardware": "two threads",
        "command": "compare",
        "judge": "our landmarks",
        "embedding": False,
        "notes": ["A note."],
        "rows": [{"title": "One", "figures": figures}],
        **dict.fromkeys(("train_clips", "train_frames", "clips", "frames"), 1),
    }
    text = page(report, "sheet.jpg")
    assert "| One | 0.0500 | - | - | - | 20.00 | 0.500 |" in text
    assert "- A note." in text
    assert "AED needs an identity network" in text

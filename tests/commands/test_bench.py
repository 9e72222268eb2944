"""The ``bench`` command on tiny models, with a tiny original."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from avatar_app.cli import main
from avatar_app.engines.open import open_engine
from avatar_app.errors import BundleError
from avatar_app.evaluation.benchmark import runs
from avatar_app.evaluation.benchmark.arithmetic import count
from avatar_app.evaluation.benchmark.original import Reference
from avatar_app.evaluation.benchmark.resize import resized
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.processor import cores
from tests.networks.tiny import TINY
from tests.support.bundles import face_crop, write_anchored, write_fomm, write_kind
from tests.support.originals import write_original

STAGES = ["decode", "crop", "detect", "transfer", "render", "hand over", "copy", "compose", "send"]


def bench(folder: Path, bundle: Path, *more: str) -> dict[str, Any]:
    cv2.imwrite(str(folder / "photo.png"), face_crop(0).image)
    with ClipWriter(folder / "clip.mp4", Fraction(25), (64, 64)) as writer:
        for index in range(3):
            writer.write(face_crop(index).image, Fraction(index, 25))
    files = [
        "--avatar",
        str(folder / "photo.png"),
        "--driving",
        str(folder / "clip.mp4"),
        "--json",
        str(folder / "report.json"),
    ]
    assert (
        main(
            [
                "bench",
                "--model",
                str(bundle),
                "--device",
                "cpu",
                "--frames",
                "5",
                "--output",
                "none",
                *files,
                *more,
            ]
        )
        == 0
    )
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "WARM_UP", 1)
    monkeypatch.setattr("avatar_app.evaluation.benchmark.arithmetic.SIDE", {"cpu": 64})
    monkeypatch.setattr("avatar_app.evaluation.benchmark.arithmetic.COPIED", {"cpu": 1 << 10})


def test_the_report_has_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(
        tmp_path, write_fomm(tmp_path / "tiny").folder, "--threads", "1,2,all", "--reference-frames", "3"
    )
    assert list(report) == [
        *(
            "hardware",
            "versions",
            "model",
            "engine",
            "camera",
            "output",
            "frames",
            "warm_up",
            "work",
            "reference",
            "runs",
        ),
    ]
    assert report["model"] == {"name": "tiny", "kind": "fomm", "size": 64, "faces": 1}
    assert report["output"] == {"size": "1280x720", "sink": "none"}
    assert "own networks and weights" in report["reference"]["what"]
    assert [run["threads"] for run in report["runs"]] == list(dict.fromkeys([1, 2, cores()]))
    for run in report["runs"]:
        assert list(run["stages_ms"]) == STAGES
        assert all(times.keys() == {"p50", "p95"} for times in run["stages_ms"].values())
        assert run["step"]["p50"] < run["animation"]["p50"] < run["chain"]["p50"]
        assert run["floor"]["ms"] > 0
        assert run["speedup"]["step"] == round(run["reference"]["p50"] / run["step"]["p50"], 2)
    said = capsys.readouterr().out
    assert "2 threads" in said
    assert "frames a second" in said


def test_a_model_of_another_family_is_held_against_the_full_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, configuration = write_original(tmp_path)
    monkeypatch.setattr(runs, "REFERENCE_CONFIG", configuration)
    cv2.imwrite(str(tmp_path / "clip.png"), face_crop(0).image)
    report = bench(
        tmp_path,
        write_fomm(tmp_path / "tiny").folder,
        "--threads",
        "1",
        "--reference-frames",
        "0",
        "--size",
        "128",
        "--device",
        "torch",
    )
    assert report["model"]["size"] == 128
    assert "PyTorch" in report["engine"]
    assert "speedup" not in report["runs"][0]
    bundle = write_anchored(tmp_path / "anchored")
    reference = runs.open_reference(bundle, "cpu", face_crop(0).image)
    assert (
        reference.model.state_dict().keys() == Reference(TINY, face_crop(0).image).model.state_dict().keys()
    )


def test_the_original_makes_the_picture_that_the_engine_makes(tmp_path: Path) -> None:
    """Otherwise the time would be that of different work.

    Absolute motion, because that is the command's default.
    """
    bundle = write_fomm(tmp_path / "tiny")
    photo, driver = face_crop(0), face_crop(1)
    engine = open_engine(bundle, "cpu", 1)
    made = engine.render(engine.encode(photo), engine.detect(driver))
    expected = runs.open_reference(bundle, "cpu", photo.image).step(driver.image)
    assert made.std() > 5
    assert np.abs(made.astype(int) - expected).max() <= 2
    engine.close()


def test_arithmetic_and_values_of_a_convolution() -> None:
    import torch

    layer = torch.nn.Conv2d(3, 8, 5, padding=2)
    work = count(lambda: layer(torch.zeros(1, 3, 16, 16)).relu())
    assert work.flop == 2 * 16 * 16 * 8 * 3 * 25
    assert work.values == 3 * 16 * 16 + 8 * 3 * 25 + 8 + 8 * 16 * 16


def test_a_size_that_no_model_has(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="100 pixels"):
        resized(write_fomm(tmp_path / "tiny"), 100, tmp_path / "other")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frames", "0"], "0 is not a whole number from 1"),
        (["--frames", "x"], "'x' is not a whole number from 1"),
        (["--reference-frames", "-1"], "-1 is not a whole number from 0"),
        (["--threads", "1,many"], "'1,many' is no list of whole numbers"),
        (["--threads", "0"], "'0' is no list of whole numbers"),
        (["--threads", "99999"], "'99999' is no list of whole numbers from 1 to 256"),
    ],
)
def test_nonsense_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *words])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--avatar", "--driving"])
def test_figures_do_not_replace_what_was_given(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), face_crop(0).image)
    before = photo.read_bytes()
    assert main(["bench", option, str(photo), "--json", str(photo)]) == 2
    assert "is also an input" in capsys.readouterr().err
    assert photo.read_bytes() == before


@pytest.mark.parametrize("kind", ["monkeynet", "x2face"])
def test_the_compared_methods_are_measured_too(kind: str, tmp_path: Path) -> None:
    report = bench(
        tmp_path, write_kind(kind, tmp_path / "tiny").folder, "--threads", "1", "--reference-frames", "0"
    )
    assert report["model"]["kind"] == kind
    assert report["runs"][0]["chain"]["p50"] > 0


def test_x2face_has_one_size(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="64 pixels alone"):
        resized(write_kind("x2face", tmp_path / "tiny"), 128, tmp_path / "large")

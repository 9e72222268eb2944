"""The ``models`` command, from its arguments to its exit code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_app.bundles import bundle as bundles
from avatar_app.bundles import fetch as fetching
from avatar_app.cli import main
from avatar_app.commands import models
from avatar_app.files import read_yaml
from avatar_app.motion.fomm_transfer import transfer_relative
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.fomm.original import build_fomm, original_of, read_weights
from avatar_app.onnx_export import import_checkpoint as importing
from avatar_app.types import KeyPoints
from tests.networks.tiny import SIDE
from tests.support.originals import write_original


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the user's models, and no other."""
    own = tmp_path / "data" / "models"
    for module in (importing, models):
        monkeypatch.setattr(module, "user_models", lambda: own)
    monkeypatch.setattr(bundles, "model_folders", lambda: (own,))
    return own


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A checkpoint, its configuration, and arrays recorded from it with aligned corners."""
    folder = tmp_path_factory.mktemp("original")
    checkpoint, configuration = write_original(folder)
    original = original_of(read_weights(checkpoint), read_yaml(configuration), checkpoint)
    model = build_fomm(original.config, original)
    pictures = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    arrays: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        found = {}
        for name, picture in zip(("source", "initial", "driving"), pictures, strict=True):
            points = model.kp_detector(picture[None])
            found[name] = KeyPoints(points.value[0].numpy(), points.jacobian[0].numpy())
            arrays |= {
                name: picture[None].numpy(),
                f"kp_{name}_value": points.value.numpy(),
                f"kp_{name}_jacobian": points.jacobian.numpy(),
            }
        pose = transfer_relative(found["source"], found["initial"], found["driving"])
        assert pose.jacobian is not None
        arrays |= {"relative_kp_value": pose.value[None], "relative_kp_jacobian": pose.jacobian[None]}
        source = KeyPointTensors(
            *(torch.from_numpy(arrays[f"kp_source_{part}"]) for part in ("value", "jacobian"))
        )
        moved = KeyPointTensors(torch.from_numpy(pose.value)[None], torch.from_numpy(pose.jacobian)[None])
        arrays["relative_prediction"] = model.generator(pictures[:1], source, moved).prediction.numpy()
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    return checkpoint, configuration, folder / "arrays.npz"


def test_import_list_verify(
    own: Path, recorded: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, configuration, _ = recorded
    assert (
        main(
            [
                "models",
                "import",
                str(checkpoint),
                "--config",
                str(configuration),
                "--name",
                "mine",
                "--licence",
                "CC0",
            ]
        )
        == 0
    )
    assert main(["models", "list"]) == 0
    output = capsys.readouterr().out
    assert "mine  fomm  64" in output
    assert "models fetch vox-adv" in output
    assert main(["models", "verify", "mine"]) == 0
    (own / "mine" / "render.onnx").write_bytes(b"")
    assert main(["models", "verify", "mine"]) == 2
    assert "render.onnx is damaged" in capsys.readouterr().err


def test_a_broken_description_is_noted_in_the_list(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "odd").mkdir(parents=True)
    (own / "odd" / "bundle.json").write_text("{")
    assert main(["models", "list"]) == 0
    assert "it is not JSON" in capsys.readouterr().err


def test_a_bad_checkpoint_is_one_line_and_leaves_nothing(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, configuration = write_original(tmp_path)
    (tmp_path / "bad").write_bytes(b"bad")
    assert (
        main(["models", "import", str(tmp_path / "bad"), "--config", str(configuration), "--name", "mine"])
        == 2
    )
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not own.exists()


def test_fetch_imports_what_was_put_there_by_hand(
    own: Path,
    recorded: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint, configuration, _ = recorded
    known = fetching.Download(
        "http://127.0.0.1:9/weights/tiny.pth.tar", fetching.md5(checkpoint), str(configuration), "CC0"
    )
    monkeypatch.setitem(fetching.KNOWN, "vox-adv", known)
    downloads = own.parent / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "tiny.pth.tar").write_bytes(checkpoint.read_bytes())
    assert main(["models", "fetch", "vox-adv"]) == 0
    assert (own / "vox-adv" / "render.onnx").is_file()
    capsys.readouterr()
    assert main(["models", "fetch", "vox-adv"]) == 0
    assert "there already" in capsys.readouterr().out


def test_parity_agrees_and_finds_the_convention(
    recorded: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["models", "parity", str(recorded[0]), "--config", str(recorded[1]), "--arrays", str(recorded[2])]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert "relative_prediction" in output
    assert "relative_kp_jacobian" in output
    assert "align_corners true" in output
    assert main([*words, "--align-corners", "false"]) == 1
    assert "differs" in capsys.readouterr().out


def test_parity_sees_a_changed_value(
    recorded: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "models",
        "parity",
        str(recorded[0]),
        "--config",
        str(recorded[1]),
        "--arrays",
        str(tmp_path / "changed.npz"),
    ]
    with np.load(recorded[2]) as stored:
        arrays = dict(stored)
    for name, change in (
        ("kp_driving_value", 2e-5),
        ("relative_kp_value", 2e-5),
        ("relative_prediction", np.nan),
    ):
        changed = arrays | {name: arrays[name] + np.float32(change)}
        np.savez(tmp_path / "changed.npz", **changed)
        assert main(words) == 1
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
        assert line.endswith("differs")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no array file"), (b"", "empty"), (b"PK\x03\x04junk", "damaged"), (b"x" * 99, "damaged")],
)
def test_parity_refuses_what_are_no_arrays(
    recorded: tuple[Path, Path, Path],
    tmp_path: Path,
    content: bytes | None,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "arrays.npz"
    if content is not None:
        path.write_bytes(content)
    assert (
        main(["models", "parity", str(recorded[0]), "--config", str(recorded[1]), "--arrays", str(path)]) == 2
    )
    assert words in capsys.readouterr().err


def test_parity_refuses_arrays_of_another_shape_or_none(
    recorded: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "arrays.npz"
    words = ["models", "parity", str(recorded[0]), "--config", str(recorded[1]), "--arrays", str(path)]
    np.savez(
        path, source=np.zeros((1, 1, SIDE, SIDE), np.float32), kp_source_value=np.zeros((1, 4, 2), np.float32)
    )
    assert main(words) == 2
    assert "do not fit" in capsys.readouterr().err
    np.savez(path, other=np.zeros(3))
    assert main(words) == 2
    assert "no outputs to compare" in capsys.readouterr().err


def test_arguments_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["models"],
        ["models", "fetch", "nothing"],
        ["models", "parity", "a", "--align-corners", "maybe"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("error: ")

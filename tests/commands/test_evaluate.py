"""The ``evaluate`` command on tiny models and a tiny data set."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from avatar_app.cli import main
from avatar_app.errors import EngineError
from avatar_app.evaluation import outside_judge
from avatar_app.evaluation.expression import EXPRESSION
from avatar_app.evaluation.following import FOLLOWING, expression
from avatar_app.evaluation.reconstruction import FIGURES
from avatar_app.faces.detector import FaceDetector
from tests.support.bundles import face_crop, write_anchored, write_fomm
from tests.support.heads import make_head

AVATARS = Path(__file__).parents[2] / "assets" / "avatars"


def add_frames(folder: Path, images: list[Any]) -> None:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image)


def faces_that_move(count: int) -> list[Any]:
    """A portrait that slides to the right by 4 % of its width per frame."""
    portrait = cv2.imread(str(AVATARS / "anna.jpg"))
    assert portrait is not None
    photo = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    slides = [np.array([[1, 0, 5.12 * step], [0, 1, 0]]) for step in range(count)]
    return [cv2.warpAffine(photo, slide, (128, 128), borderMode=cv2.BORDER_REPLICATE) for slide in slides]


def write_embedding(path: Path) -> None:
    """The mean colour of the face."""
    nodes = [helper.make_node("GlobalAveragePool", ["face"], ["vector"])]
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, 32, 32])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3, 1, 1])
    graph = helper.make_graph(nodes, "embedding", [face], [vector])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def evaluate(bundle: Path, data: Path, *more: str) -> Any:
    report = data / "report.json"
    line = [
        "evaluate",
        str(bundle),
        "--data",
        str(data),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--json",
        str(report),
        *more,
    ]
    assert main(line) == 0
    return json.loads(report.read_text())


def test_clips_of_faces_with_a_model_of_landmarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_anchored(tmp_path / "tiny")
    data = tmp_path / "data"
    add_frames(data / "test" / "anna#1", [face_crop(5).image, *faces_that_move(3)])
    add_frames(data / "test" / "nobody#1", [face_crop(index).image for index in range(2)])
    (data / "pairs.csv").write_text("source,driving\nanna#1,anna#1\n")
    write_embedding(data / "colour.onnx")
    report = evaluate(
        bundle.folder, data, "--embedding", str(data / "colour.onnx"), "--pairs", str(data / "pairs.csv")
    )
    anna, nobody = report["clips"]
    assert (anna["identity"], anna["source_frame"], anna["frames"]) == ("anna", 1, 2)
    assert (nobody["frames"], nobody["note"]) == (0, "no two frames with a face")
    assert report["frames"] == 2
    assert report["mean"].keys() == {*FIGURES, *EXPRESSION}
    assert report["mean"] == anna["figures"]
    # The unchanged photo is off by the slide: once 4 % and once 8 % of 256 pixels.
    assert anna["figures"]["akd"]["still"] == pytest.approx(0.06 * 256, rel=0.15)
    assert anna["figures"]["mkr"]["still"] == 0
    assert 0 <= anna["figures"]["aed"]["still"] < 0.5
    assert report["pairs"][0]["figures"].keys() == {*FOLLOWING, "found", "aed"}
    assert report["pairs"][0]["figures"]["width"] == pytest.approx(1, abs=0.2)  # animated by itself
    printed = capsys.readouterr().out
    assert "left out: no two frames with a face" in printed
    assert "akd" in printed


def test_clips_of_anything_with_a_model_of_key_points(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny")
    data = tmp_path / "data"
    add_frames(data / "test" / "noise", [face_crop(index).image for index in (0, 1, 0, 1, 0)])
    report = evaluate(bundle.folder, data, "--limit", "3")
    (clip,) = report["clips"]
    assert (clip["source_frame"], clip["frames"]) == (0, 2)
    # Frames 0, 2 and 4 are the same picture, so the unchanged photo is perfect and the random model is not.
    assert clip["figures"]["l1"]["still"] == 0 < clip["figures"]["l1"]["model"]
    assert clip["figures"]["ssim"]["still"] == 1 > clip["figures"]["ssim"]["model"]
    assert clip["figures"]["akd"] == clip["figures"]["aed"] == {"model": None, "warp": None, "still": None}


class FaceAlignment:
    """Replaces the package's class.

    Returns our own points, twice as far from the corner, after those of a smaller face. In the third picture,
    the first one by the model, it finds nothing.
    """

    def __init__(self, landmarks_type: object, device: str, flip_input: bool, compile: bool) -> None:
        assert (landmarks_type, device, flip_input, compile) == ("2D", "cpu", False, False)
        self._detector = FaceDetector.open()
        self._looks = 0

    def get_landmarks(self, image: Any) -> list[Any] | None:
        self._looks += 1
        if self._looks == 3:
            warnings.warn("No faces were detected.", stacklevel=1)
            return None
        points = self._detector.find(image)[0].points[:68, :2]
        return [points * 0.1, points * 2]


class Unreachable:
    def __init__(self, *given: object, **named: object) -> None:
        raise URLError(OSError(113, "No route to host"))


def pretend_package(monkeypatch: pytest.MonkeyPatch, aligner: type) -> None:
    package = SimpleNamespace(FaceAlignment=aligner, LandmarksType=SimpleNamespace(TWO_D="2D"))
    monkeypatch.setitem(sys.modules, "face_alignment", package)


def test_judge_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_package(monkeypatch, FaceAlignment)
    bundle = write_anchored(tmp_path / "tiny")
    add_frames(tmp_path / "data" / "test" / "anna#1", faces_that_move(3))
    own = evaluate(bundle.folder, tmp_path / "data")
    assert own["judge"] == "our own network, 88 landmarks"
    report = evaluate(bundle.folder, tmp_path / "data", "--judge", "face-alignment", "--fetch-judge")
    assert report["judge"] == "face-alignment, 68 landmarks"
    assert report["mean"]["akd"]["still"] == pytest.approx(2 * 0.06 * 256, rel=0.15)
    assert report["mean"]["mkr"] == {"model": 0.5, "warp": 0, "still": 0}
    assert report["mean"]["mouth_l1"] == own["mean"]["mouth_l1"]
    assert "akd and mkr by face-alignment" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("package", "words"),
    [(Unreachable, "cannot be had: no route to host. Connect"), (None, "face-alignment is not installed")],
)
def test_judge_that_cannot_be_had(
    package: type | None,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if package:
        pretend_package(monkeypatch, package)
    else:
        monkeypatch.setitem(sys.modules, "face_alignment", None)
    bundle = write_fomm(tmp_path / "tiny")
    add_frames(tmp_path / "test" / "a", [face_crop(0).image])
    line = [
        "evaluate",
        str(bundle.folder),
        "--data",
        str(tmp_path),
        "--json",
        str(tmp_path / "report.json"),
        "--device",
        "cpu",
    ]
    assert main([*line, "--judge", "face-alignment", "--fetch-judge"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_judge_is_not_fetched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package would download its weights when it is created."""
    made: list[object] = []
    pretend_package(monkeypatch, type("Aligner", (), {"__init__": lambda self, *_, **__: made.append(self)}))
    monkeypatch.setattr(outside_judge, "weight_files", lambda: ["not there.pth"])
    with pytest.raises(EngineError, match="not on this computer") as caught:
        outside_judge.OutsideJudge()
    assert "--fetch-judge" in caught.value.hint
    assert not made
    outside_judge.OutsideJudge(fetch=True)
    assert made


def test_too_few_frames_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "lite", "--data", ".", "--json", "report.json", "--limit", "1"])
    assert "--limit: 1 is not a whole number from 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--split", "summer"], "No summer clips"),
        (["--data", "nothere"], "There is no data set nothere"),
        (["--data", "n" * 300], "There is no data set nnn"),
        (["--data", "pairs.csv"], "is a file, not a folder"),
        (["--pairs", "report.json", "--json", "report.json"], "is also an input"),
        (["--json", "./manifest.csv"], "is also an input"),
        (["--data", "other"], "other/manifest.csv cannot be used"),
        (["--data", "noise"], "noise/manifest.csv cannot be used"),
        (["--embedding", "pairs.csv"], "The embedding network pairs.csv cannot be opened"),
        (["--pairs", "pairs.csv"], "'b' that is known"),
        (["--embedding", "none.onnx"], "no embedding network none.onnx"),
    ],
)
def test_wrong_input_takes_one_line(
    more: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    add_frames(Path("test/a"), [face_crop(0).image])
    Path("pairs.csv").write_text("source,driving\na,b\n")
    for name, content in {"other": b"split,stem\nval,a\n", "noise": b"\xff\xfe\x00\x81"}.items():
        Path(name).mkdir()
        Path(name, "manifest.csv").write_bytes(content)
    assert main(["evaluate", "lite", "--data", ".", "--json", "report.json", *more]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not Path("report.json").exists()


def test_expression_is_told_apart_and_free_of_place_size_and_roll() -> None:
    face = make_head(mouth=0.1, lids=0.1)[:, :2]
    mouth, lids, gaze, brows = expression(face)
    assert lids == pytest.approx(0.5, abs=0.01)  # eyes are 0.2 wide
    assert gaze == pytest.approx(0, abs=1e-6)
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert expression(300 * face @ turn + 70) == pytest.approx((mouth, lids, gaze, brows), abs=1e-6)
    looking, surprised = face.copy(), face.copy()
    looking[68:78, 0] += 0.02
    surprised[17:27, 1] -= 0.05
    assert expression(looking) == pytest.approx((mouth, lids, gaze + 0.1, brows), abs=1e-6)
    assert expression(surprised)[:3] == pytest.approx((mouth, lids, gaze), abs=1e-6)
    assert expression(surprised)[3] > brows

"""The ``evaluate`` command on tiny models and a tiny data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from avatar_app.cli import main
from avatar_app.commands.reconstruct import FIGURES
from tests.bundles import face_crop, write_anchored, write_fomm

AVATARS = Path(__file__).parents[2] / "assets" / "avatars"


def add_frames(folder: Path, images: list[Any]) -> None:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image)


def faces_that_move(count: int) -> list[Any]:
    """A portrait that slides to the right, 4 % of its width a frame."""
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
    line = ["evaluate", str(bundle), "--data", str(data), "--device", "cpu", "--threads", "1", "--json", str(report), *more]
    assert main(line) == 0
    return json.loads(report.read_text())


def test_clips_of_faces_with_a_model_of_landmarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_anchored(tmp_path / "tiny")
    data = tmp_path / "data"
    add_frames(data / "test" / "anna#1", [face_crop(5).image, *faces_that_move(3)])
    add_frames(data / "test" / "nobody#1", [face_crop(index).image for index in range(2)])
    (data / "pairs.csv").write_text("source,driving\nanna#1,anna#1\n")
    write_embedding(data / "colour.onnx")
    report = evaluate(bundle.folder, data, "--embedding", str(data / "colour.onnx"), "--pairs", str(data / "pairs.csv"))
    anna, nobody = report["clips"]
    assert (anna["identity"], anna["source_frame"], anna["frames"]) == ("anna", 1, 2)
    assert (nobody["frames"], nobody["note"]) == (0, "no two frames with a face")
    assert report["frames"] == 2
    assert report["mean"].keys() == set(FIGURES)
    assert report["mean"] == anna["figures"]
    # The still photo is off by the slide: once 4 % and once 8 % of 256 pixels.
    assert anna["figures"]["akd"]["still"] == pytest.approx(0.06 * 256, rel=0.15)
    assert anna["figures"]["mkr"]["still"] == 0
    assert 0 <= anna["figures"]["aed"]["still"] < 0.5
    assert report["pairs"][0]["figures"].keys() == {"yaw", "pitch", "mouth", "found", "aed"}
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
    # Frames 0, 2 and 4 are the same picture, so the still photo is perfect and the random model is not.
    assert clip["figures"]["l1"]["still"] == 0 < clip["figures"]["l1"]["model"]
    assert clip["figures"]["ssim"]["still"] == 1 > clip["figures"]["ssim"]["model"]
    assert clip["figures"]["akd"] == clip["figures"]["aed"] == {"model": None, "warp": None, "still": None}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--split", "summer"], "No summer clips"),
        (["--pairs", "pairs.csv"], "'b' that is known"),
        (["--embedding", "none.onnx"], "no embedding network none.onnx"),
    ],
)
def test_wrong_input_takes_one_line(
    more: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    add_frames(Path("test/a"), [face_crop(0).image])
    Path("pairs.csv").write_text("source,driving\na,b\n")
    assert main(["evaluate", "lite", "--data", ".", "--json", "report.json", *more]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not Path("report.json").exists()

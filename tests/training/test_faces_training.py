"""Training of the face networks on a handful of drawn faces."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.errors import BundleError, ConfigError
from avatar_app.networks.faces import FaceFinder, LandmarkConfig, LandmarkNet, Landmarks
from avatar_app.onnx_runtime import open_session
from avatar_app.training.faces.__main__ import main
from avatar_app.training.faces.config import FacesConfig, PartConfig, read_config
from avatar_app.training.faces.data import FaceSet, open_faces
from avatar_app.training.faces.export import export
from avatar_app.training.faces.loop import (
    Others,
    finder_batch,
    landmark_batch,
    new_network,
    step_losses,
    train_part,
)
from avatar_app.training.faces.losses import finder_loss, finder_targets, landmark_loss
from avatar_app.training.faces.samples import Sampler
from tests.support.heads import make_head

FLIP = (
    list(range(16, -1, -1))
    + list(range(26, 16, -1))
    + [27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41]
)
FLIP += [
    40,
    54,
    53,
    52,
    51,
    50,
    49,
    48,
    59,
    58,
    57,
    56,
    55,
    64,
    63,
    62,
    61,
    60,
    67,
    66,
    65,
    73,
    76,
    75,
    74,
    77,
    68,
    71,
    70,
    69,
    72,
    78,
    79,
]
FLIP += [81, 80, 83, 82, 85, 84, 87, 86]


def drawn_face(random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """A cartoon of 320 pixels and its landmarks in pixels."""
    half = random.uniform(80, 130)
    points = make_head(mouth=random.uniform(0, 0.15), lids=random.uniform(0.01, 0.1)) * half
    points[:, :2] += random.uniform(140, 180, 2)
    picture = np.full((320, 320, 3), random.integers(0, 256, 3), np.uint8)

    def fill(part: slice, colour: tuple[int, int, int]) -> None:
        cv2.fillConvexPoly(picture, cv2.convexHull(points[part, :2].astype(np.int32)), colour)

    fill(slice(0, 27), (220, 170, 150))
    for eye in (slice(36, 42), slice(42, 48)):
        fill(eye, (255, 255, 255))
    fill(slice(48, 60), (180, 60, 60))
    fill(slice(60, 68), (40, 0, 0))
    for brow in (points[17:22], points[22:27], points[27:31]):
        cv2.polylines(picture, [brow[:, :2].astype(np.int32)], False, (60, 30, 10), 3)
    return picture, points.astype(np.float32)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    random = np.random.default_rng(0)
    drawn = [drawn_face(random) for _ in range(6)]
    return FaceSet(
        frames=np.stack([picture for picture, _ in drawn]),
        points=np.stack([points for _, points in drawn]),
        identity=np.arange(6),
        probability=np.full(6, 1 / 6),
        flip=np.array(FLIP),
    )


def test_crop_samples_show_their_landmarks(faces: FaceSet) -> None:
    """The inner lips are the darkest part of the drawing.

    Without changes of light they must be at their landmarks.
    """
    sampler = Sampler(faces, [], 1)
    frame, points = sampler.draw()
    middle = points[60:68, :2].mean(0)
    mouth = points[48:60, :2]
    rows, columns = np.nonzero((frame == (180, 60, 60)).all(-1))
    assert columns.min() >= mouth[:, 0].min() - 2
    assert rows.max() <= mouth[:, 1].max() + 2
    assert abs(columns.mean() - middle[0]) < 3
    samples = [sampler.crop(96) for _ in range(60)]
    shown = [sample for sample in samples if sample.present]
    assert 35 < len(shown) < 60
    assert all(np.abs(sample.points[30, :2]).max() < 1 for sample in shown), "the nose is inside"


def test_mirrored_points_keep_their_meaning(faces: FaceSet) -> None:
    sampler = Sampler(faces, [], 2)
    for _ in range(10):
        _, points = sampler.draw()
        assert points[36, 0] < points[45, 0], "the subject's right eye is on the left of the picture"
        assert points[0, 0] < points[16, 0]


def test_scenes_ask_for_faces_inside_the_picture(faces: FaceSet) -> None:
    sampler = Sampler(faces, [], 3)
    scenes = [sampler.scene(192) for _ in range(40)]
    counts = [len(scene.faces) for scene in scenes]
    assert min(counts) == 0
    assert max(counts) >= 2
    for scene in scenes:
        assert scene.picture.shape == (192, 192, 3)
        assert (scene.faces[:, :2] > 0).all()
        assert (scene.faces[:, :2] < 191).all()


def test_same_seed_gives_the_same_samples(faces: FaceSet) -> None:
    first, second = (Sampler(faces, [], 4).crop(64) for _ in range(2))
    assert np.array_equal(first.picture, second.picture)
    assert np.array_equal(first.points, second.points)


def test_landmark_loss_minds_openings_and_ignores_absent_faces() -> None:
    truth = torch.from_numpy(make_head()).float()[None].repeat(2, 1, 1)
    present = torch.tensor([1.0, 0.0])
    perfect = landmark_loss(Landmarks(truth, torch.tensor([9.0, -9.0]), truth), truth, present)
    assert sum(float(term) for term in perfect.values()) < 1e-4
    wrong = truth.clone()
    wrong[1] += 1
    absent = landmark_loss(Landmarks(wrong, torch.tensor([9.0, -9.0]), wrong), truth, present)
    assert sum(float(term) for term in absent.values()) < 1e-4
    blink = truth.clone()
    blink[0, [37, 38, 43, 44], 1] += 0.04
    shut = landmark_loss(Landmarks(blink, torch.tensor([9.0, -9.0]), blink), truth, present)
    assert float(shut["openings"]) > 10 * float(perfect["openings"]) + 1e-3


def test_finder_targets_mark_the_face() -> None:
    target, weight = finder_targets(
        torch.tensor([[100.0, 60.0, 48.0, 0.3]]), torch.tensor([[20.0, 150.0, 30.0, 0.0]]), 24
    )
    row, column = 7, 12
    assert target[0, row, column] == 1
    assert (column + 0.5 + float(target[1, row, column])) * 8 - 0.5 == pytest.approx(100)
    assert 2 ** float(target[3, row, column]) * 8 == pytest.approx(48, rel=1e-4)
    assert float(torch.atan2(target[5, row, column], target[4, row, column])) == pytest.approx(0.3, abs=1e-4)
    assert weight[18, 2] == 0, "a face too hidden to ask for counts for nothing"
    assert weight[0, 0] == 1
    exact = torch.where(target[:1] > 0, 12.0, -12.0)
    losses = finder_loss(torch.cat([exact, target[1:]])[None], target[None], weight[None])
    assert sum(float(loss) for loss in losses.values()) < 1e-3


def test_landmark_network_reads_both_eyes_with_one_tower() -> None:
    torch.manual_seed(0)
    network = LandmarkNet(LandmarkConfig(widths=(4, 4, 4, 4), patch_widths=(4, 4, 4), hidden=8)).eval()
    network.mean.copy_(torch.from_numpy(make_head()).float())
    out = network(torch.rand(2, 3, 192, 192))
    assert out.points.shape == (2, 88, 3)
    untouched = [*range(17), *range(27, 36), *range(78, 88)]
    assert torch.equal(out.points[:, untouched], out.coarse[:, untouched])
    assert not torch.allclose(out.points[:, 36:48], out.coarse[:, 36:48])


@pytest.mark.parametrize("part", ["landmarks", "finder"])
def test_loss_falls(faces: FaceSet, part: str) -> None:
    torch.manual_seed(0)
    sampler = Sampler(faces, [], 5)
    batch = landmark_batch(sampler, 8) if part == "landmarks" else finder_batch(sampler, 8)
    network = new_network(part, faces).train()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    values = []
    for _ in range(12):
        loss = torch.stack(list(step_losses(part, network, batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        values.append(float(loss.detach()))
    assert np.mean(values[-3:]) < 0.6 * values[0]


def test_training_resumes_and_exports(faces: FaceSet, tmp_path: Path) -> None:
    settings = PartConfig(minutes=0, batch=2)
    config = FacesConfig(workers=0, landmarks=settings, finder=settings)
    for part in ("landmarks", "finder"):
        train_part(part, config, faces, Others(), tmp_path / "run")
    again = train_part(
        "finder",
        replace(config, finder=replace(settings, minutes=1e-6)),
        faces,
        Others(),
        tmp_path / "run",
        resume=True,
    )
    assert torch.load(again, weights_only=True)["step"] == 2
    export(tmp_path / "run", tmp_path / "faces")
    description = json.loads((tmp_path / "faces" / "bundle.json").read_text())
    assert set(description["files"]) == {"finder.onnx", "landmarks.onnx"}
    check_same_numbers(tmp_path)


def check_same_numbers(folder: Path) -> None:
    """The exported files give the averaged networks' outputs."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, 192, 192, 3), dtype=np.uint8)
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    landmarks, finder = LandmarkNet(), FaceFinder()
    landmarks.load_state_dict(torch.load(folder / "run" / "landmarks.pt", weights_only=True)["average"])
    finder.load_state_dict(torch.load(folder / "run" / "finder.pt", weights_only=True)["average"])
    with torch.inference_mode():
        points, found = landmarks.eval()(tensor).points.numpy(), finder.eval()(tensor).numpy()
    session = open_session(folder / "faces" / "landmarks.onnx")
    for picture, expected in zip(pictures, points, strict=True):
        assert np.abs(session.run(["points"], {"crop": picture[None]})[0][0] - expected).max() < 5e-3
    session = open_session(folder / "faces" / "finder.onnx")
    assert np.abs(session.run(["map"], {"picture": pictures})[0][:, 1:] - found[:, 1:]).max() < 2e-2


def test_export_without_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"landmarks\.pt"):
        export(tmp_path, tmp_path / "faces")


def write_data(folder: Path) -> None:
    """A data set of one still and one clip of three frames, the second of them unusable."""
    random = np.random.default_rng(0)
    for name in ("labels", "stills", "video"):
        (folder / name).mkdir(parents=True)
    (folder / "points.json").write_text(json.dumps({"flip": FLIP}))
    clip = cv2.VideoWriter(
        str(folder / "video" / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 320)
    )
    labels = []
    for _ in range(3):
        picture, points = drawn_face(random)
        clip.write(picture)
        labels.append(points)
    clip.release()
    picture, points = drawn_face(random)
    cv2.imwrite(str(folder / "stills" / "still.jpg"), picture)
    for stem, faces, usable in (("clip", labels, [True, False, True]), ("still", [points], [True])):
        shape = np.array(faces)
        np.savez(
            folder / "labels" / f"{stem}.npz",
            points=np.round(((shape[..., :2] + 0.5) / 320 + 0.25) / 1.5 * 65535).astype(np.uint16),
            z=(shape[..., 2] / 320).astype(np.float16),
            blendshapes=np.zeros((len(shape), 52), np.uint8),
            ok=np.array(usable),
        )
    with (folder / "manifest.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["stem", "type", "identity", "split", "licence", "kind"])
        writer.writerow(["clip", "video", "a", "train", "MIT", "real"])
        writer.writerow(["still", "still", "b", "train", "none stated", "ai"])
        writer.writerow(["other", "still", "c", "val", "MIT", "ai"])


def test_data_is_decoded_once(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    faces = open_faces(tmp_path / "data", tmp_path / "cache", stride=1)
    assert faces.frames.shape == (3, 320, 320, 3)
    assert faces.probability.sum() == pytest.approx(1)
    assert len(set(faces.identity.tolist())) == 2
    lips = faces.points[0, 48:60, :2].mean(0).round().astype(int)
    red, green, _ = faces.frames[0, lips[1] + 8, lips[0]].astype(int)
    assert red != green
    (tmp_path / "data" / "manifest.csv").unlink()
    assert len(open_faces(tmp_path / "data", tmp_path / "cache", stride=1).points) == 3


def test_licences_can_be_left_out(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    assert (
        len(
            open_faces(tmp_path / "data", tmp_path / "cache", stride=1, skip_licences=("none stated",)).points
        )
        == 2
    )


def test_configuration_is_strict(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "avatar_app" / "training" / "configs" / "faces.yaml"
    assert read_config(shipped).landmarks.batch == 48
    path = tmp_path / "faces.yaml"
    path.write_text("finder: {minute: 3}")
    with pytest.raises(ConfigError, match="'minute'"):
        read_config(path)


def test_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml"), "--data", str(tmp_path), "--output", str(tmp_path)]) == 2
    assert "none.yaml" in capsys.readouterr().err

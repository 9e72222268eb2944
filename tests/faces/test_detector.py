"""Detecting and tracking faces with the included networks."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_app.errors import BundleError
from avatar_app.faces.crop import (
    CLOSEST,
    LARGEST_SHIFT,
    Region,
    cut,
    photo_box,
    region_of,
    to_picture,
    to_region,
)
from avatar_app.faces.detector import (
    BoxSmoother,
    FaceDetector,
    FaceTracker,
    crop_face,
    crop_picture,
    square_box,
)
from avatar_app.types import Array, Box, Face, Image
from tests.support.heads import make_head

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
BUNDLE = ROOT / "models" / "faces"

needs_bundle = pytest.mark.skipif(
    not (BUNDLE / "finder.onnx").is_file(), reason="the bundle models/faces is not there"
)
needs_clips = pytest.mark.skipif(
    not (SHARED / "clips").is_dir(), reason="no test clips beside the repository"
)
needs_labels = pytest.mark.skipif(
    not (SHARED / "facedata").is_dir(), reason="no labelled faces beside the repository"
)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.open(BUNDLE)


def head_at(x: float, y: float, half: float) -> Array:
    """A synthetic face in pixels: its centre and half the side of its square."""
    return np.asarray(make_head() * half + np.array([x, y, 0]), np.float32)


def test_crop_of_a_photo_stays_within_it_as_far_as_it_can() -> None:
    def boxes(x: float, y: float, half: float) -> tuple[Box, Box]:
        face, photo = Face(head_at(x, y, half), 1.0), np.zeros((400, 500, 3), np.uint8)
        return square_box(face), photo_box(face, photo)

    plain, kept = boxes(250, 200, 100)
    assert kept == plain
    for x, y in ((250, 120), (120, 200), (390, 270)):  # cropped at the top, on the left, at the lower right
        plain, kept = boxes(x, y, 150)
        assert plain.size == kept.size
        for middle, length in ((kept.center_x, 500), (kept.center_y, 400)):
            assert middle - kept.size / 2 >= -0.5 - 1e-6 and middle + kept.size / 2 <= length - 0.5 + 1e-6
    plain, kept = boxes(250, 20, 150)
    assert kept.center_y - plain.center_y == pytest.approx(LARGEST_SHIFT * kept.size)
    plain, kept = boxes(250, 200, 300)
    assert kept.size == pytest.approx(CLOSEST * plain.size)


def read_picture(path: Path) -> Image:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def some_frames(path: Path, step: int) -> list[Image]:
    clip = cv2.VideoCapture(str(path))
    frames = []
    more, frame = clip.read()
    while more:
        frames.append(np.ascontiguousarray(frame[..., ::-1], np.uint8))
        more, frame = clip.read()
    clip.release()
    return frames[::step]


def test_region_and_back() -> None:
    points = head_at(210, 140, 90)
    region = Region(200, 150, 260, 0.4)
    assert np.allclose(to_picture(to_region(points, region), region), points, atol=1e-3)


def test_region_is_upright_around_the_face() -> None:
    roll = np.radians(25)
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    points = make_head()
    points[:, :2] = points[:, :2] @ turn * 50 + (300, 200)
    region = region_of(points.astype(np.float32))
    assert region.roll == pytest.approx(roll, abs=1e-3)
    assert (region.x, region.y) == (pytest.approx(300, abs=2), pytest.approx(200, abs=2))
    assert region.side == pytest.approx(1.4 * 50, rel=0.05)


def test_cut_of_a_whole_picture_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(cut(picture, Region(31.5, 31.5, 64, 0), 64), picture)


@pytest.mark.parametrize("size", [64, 128, 400])
def test_landmarks_of_a_crop_lie_where_the_picture_shows_them(size: int) -> None:
    points = head_at(401, 303, 120)
    picture = np.zeros((600, 800, 3), np.uint8)
    mark = 30  # the tip of the nose
    cv2.circle(
        picture, (round(float(points[mark, 0])), round(float(points[mark, 1]))), 9, (255, 255, 255), -1
    )
    points[mark, :2] = np.round(points[mark, :2])
    face = Face(points, 1.0)
    crop = crop_face(picture, face, square_box(face), size)
    assert crop.landmarks is not None
    rows, columns = np.nonzero(crop.image[..., 0] > 127)
    seen = 2 * np.array([columns.mean(), rows.mean()]) / (size - 1) - 1
    assert np.allclose(seen, crop.landmarks[mark, :2], atol=0.6 / size)


def test_square_box_holds_the_face_in_half_its_side() -> None:
    face = Face(head_at(320, 240, 100), 1.0)
    box = square_box(face)
    height = np.linalg.norm(face.points[78, :2] - face.points[8, :2])
    assert height / box.size == pytest.approx(0.5, abs=0.02)
    assert box.center_x == pytest.approx(320, abs=2)


def test_crop_beyond_the_edge_goes_on_with_the_edge_colour() -> None:
    picture = np.full((100, 100, 3), 90, np.uint8)
    assert np.abs(crop_picture(picture, Box(0, 0, 120), 64).astype(int) - 90).max() <= 1


def test_crop_inside_is_untouched_by_the_extension() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    half_outside = crop_picture(picture, Box(99.5, 49.5, 100), 100)
    assert np.array_equal(half_outside[:, :49], picture[:, 50:99])


def test_box_stays_while_the_head_moves_a_little() -> None:
    smoother = BoxSmoother()
    first = smoother.follow(Box(100, 100, 200), 0.0)
    for step in range(50):
        box = smoother.follow(
            Box(100 + 15 * np.sin(step / 3), 100 + 10 * np.cos(step / 5), 200 + 10 * np.sin(step)), 0.04
        )
    assert box == first


def test_box_follows_a_head_that_walks_away() -> None:
    smoother = BoxSmoother()
    last = smoother.follow(Box(100, 100, 200), 0.0)
    for step in range(100):
        box = smoother.follow(Box(100 + 2.0 * step, 100, 200), 0.04)
        assert 0 <= box.center_x - last.center_x < 8, "no jumps, no way back"
        last = box
    assert abs(last.center_x - 298) < 0.35 * 200


def test_box_jumps_to_another_person() -> None:
    smoother = BoxSmoother()
    smoother.follow(Box(100, 100, 80), 0.0)
    assert smoother.follow(Box(500, 100, 80), 0.04) == Box(500, 100, 80)


def test_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"finder\.onnx"):
        FaceDetector.open(tmp_path)


@needs_bundle
@pytest.mark.parametrize("name", ["finder.onnx", "landmarks.onnx"])
def test_damaged_networks_are_named(tmp_path: Path, name: str) -> None:
    for file in BUNDLE.iterdir():
        shutil.copy(file, tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 0x40  # ONNX Runtime would open it and detect faces where there are none
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} is damaged") as caught:
        FaceDetector.open(tmp_path)
    assert caught.value.hint == "Install the app again."


def no_faces() -> dict[str, Image]:
    random = np.random.default_rng(3)
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    lines = np.full((400, 500, 3), 255, np.uint8)
    for row in range(12):
        cv2.putText(
            lines, "the quick brown fox", (10, 30 + 30 * row), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2
        )
    return {
        "black": np.zeros((480, 640, 3), np.uint8),
        "noise": random.integers(0, 256, (360, 480, 3), dtype=np.uint8),
        "ramp": np.broadcast_to(ramp[None, :, None], (200, 300, 3)).copy(),
        "text": lines,
        "checks": np.kron(np.indices((20, 30)).sum(0) % 2, np.ones((20, 20)))[..., None]
        .repeat(3, 2)
        .astype(np.uint8)
        * 255,
        "clouds": np.asarray(
            cv2.resize(
                random.integers(0, 256, (9, 12, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC
            )
        ),
        "one pixel": np.full((1, 1, 3), 120, np.uint8),
        "strip": np.full((3, 2000, 3), 120, np.uint8),
    }


@needs_bundle
@pytest.mark.parametrize("name", list(no_faces()))
def test_no_face_where_there_is_none(detector: FaceDetector, name: str) -> None:
    picture = no_faces()[name]
    assert detector.find(picture) == []
    assert FaceTracker(detector).track(picture) is None


@needs_bundle
@needs_labels
def test_landmarks_of_unseen_people(detector: FaceDetector) -> None:
    errors, gaps, truths = [], [], []
    with (SHARED / "facedata" / "manifest.csv").open(newline="") as lines:
        stems = [
            row["stem"] for row in csv.DictReader(lines) if row["split"] == "val" and row["type"] == "still"
        ]
    for stem in stems:
        with np.load(SHARED / "facedata" / "labels" / f"{stem}.npz") as arrays:
            truth = (arrays["points"][0].astype(np.float32) / 65535 * 1.5 - 0.25) * 320 - 0.5
        found = detector.find(read_picture(SHARED / "facedata" / "stills" / f"{stem}.jpg"))
        assert found, stem
        points, height = found[0].points[:, :2], np.linalg.norm(truth[78] - truth[8])
        errors.append(np.linalg.norm(points - truth, axis=1).mean() / height)
        gaps.append(np.linalg.norm(points[62] - points[66]) / height)
        truths.append(np.linalg.norm(truth[62] - truth[66]) / height)
    assert np.mean(errors) < 0.02
    assert np.max(errors) < 0.06
    assert np.corrcoef(gaps, truths)[0, 1] > 0.9


@needs_bundle
@needs_clips
@pytest.mark.parametrize("name", ["drive_720p_a.mp4", "drive_480p_b.mp4", "drive_480p_c.mp4"])
def test_clip_is_followed(detector: FaceDetector, name: str) -> None:
    tracker = FaceTracker(detector)
    frames = some_frames(SHARED / "clips" / name, 5)
    faces = [tracker.track(frame) for frame in frames]
    assert all(faces)
    small = np.asarray(cv2.resize(frames[0], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8)
    assert detector.find(small)


class Counted:
    """A network that always returns the same, and counts its calls."""

    def __init__(self, *outputs: Array) -> None:
        self.outputs, self.calls = outputs, 0

    def run(self, names: Sequence[str], feeds: dict[str, Array]) -> tuple[Array, ...]:
        self.calls += 1
        return self.outputs


@pytest.mark.parametrize(("shift", "looks"), [(0.0, 1), (0.4, 2)])
def test_a_face_that_moved_far_is_located_again_but_its_expression_read_once(
    shift: float, looks: int
) -> None:
    head = head_at(200, 200, 100)
    seen = to_region(head, region_of(head)) + np.array([shift, 0, 0], np.float32)
    landmarks = Counted(seen[None], np.ones(1, np.float32))
    expression = Counted(np.full((1, 24), 0.5, np.float32))
    tracker = FaceTracker(FaceDetector(None, landmarks, expression))
    tracker.begin(Face(head, 1.0))
    face = tracker.follow(np.zeros((400, 400, 3), np.uint8))
    assert face is not None
    assert face.expression is not None
    assert (landmarks.calls, expression.calls) == (looks, 1)


@needs_bundle
@needs_clips
def test_tracker_loses_the_face_and_finds_it_again(detector: FaceDetector) -> None:
    frame = some_frames(SHARED / "clips" / "drive_480p_c.mp4", 40)[0]
    tracker = FaceTracker(detector)
    first = tracker.track(frame)
    assert first is not None
    assert tracker.track(np.zeros_like(frame)) is None
    moved = np.roll(frame, 60, axis=1)
    again = tracker.track(moved)
    assert again is not None
    assert np.abs((again.points - first.points)[:, 0].mean() - 60) < 3


@needs_bundle
@needs_clips
def test_largest_of_two_faces_comes_first(detector: FaceDetector) -> None:
    photo = read_picture(SHARED / "clips" / "source_a.jpg")
    large, small = (
        np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        for side in (400, 200)
    )
    scene = np.full((420, 800, 3), 128, np.uint8)
    scene[10:210, 20:220] = small
    scene[10:410, 350:750] = large
    found = detector.find(scene)
    assert len(found) == 2
    assert found[0].points[:, 0].mean() > 350 > found[1].points[:, 0].mean()


@needs_bundle
@needs_clips
def test_landmarks_turn_with_the_picture(detector: FaceDetector) -> None:
    photo = np.asarray(
        cv2.resize(read_picture(SHARED / "clips" / "source_b.jpg"), (512, 512), interpolation=cv2.INTER_AREA),
        np.uint8,
    )
    upright = detector.find(photo)[0].points
    matrix = cv2.getRotationMatrix2D((255.5, 255.5), 30, 0.8)
    turned = np.asarray(cv2.warpAffine(photo, matrix, (512, 512)), np.uint8)
    expected = upright[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    found = detector.find(turned)[0].points[:, :2]
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.02 * np.linalg.norm(expected[78] - expected[8])


@needs_bundle
@needs_clips
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_lying_face_is_not_misread(detector: FaceDetector, turns: int) -> None:
    """Landmarks are correct up to about 60 degrees of roll.

    Beyond that, no face is better than a wrong one.
    """
    photo = np.asarray(
        cv2.resize(read_picture(SHARED / "clips" / "source_b.jpg"), (512, 512), interpolation=cv2.INTER_AREA),
        np.uint8,
    )
    assert detector.find(np.ascontiguousarray(np.rot90(photo, turns))) == []

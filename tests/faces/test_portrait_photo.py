"""Which face of a photo is used, how the photo is rotated, and the messages about it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_app.errors import PortraitError
from avatar_app.faces.detector import FaceDetector, square_box
from avatar_app.faces.photo_check import photo_faults
from avatar_app.faces.portrait import PhotoChoice, find_portrait
from avatar_app.media.photo import read_portrait, turned
from avatar_app.paths import model_folders, shipped_avatars
from avatar_app.types import Array, Box, Face, Image
from tests.session.stand_ins import DiscDetector
from tests.support.heads import make_head

PHOTO: Image = np.full((400, 800, 3), 120, np.uint8)
ANNA = shipped_avatars() / "anna.jpg"
SHARED = Path(__file__).parents[3] / "shared" / "hardcases"
needs_faces = pytest.mark.skipif(
    not (model_folders()[0] / "faces" / "finder.onnx").is_file(), reason="the face networks are not there"
)


class Group(DiscDetector):
    """Finds a small face on the left and a large one on the right."""

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        places = ((600.0, 150.0), (150.0, 105.0))
        return [Face((make_head() * radius + [x, 200, 0]).astype(np.float32), 1.0) for x, radius in places]


class Nobody(DiscDetector):
    def find(self, image: Image, levels: int = 3) -> list[Face]:
        return []


def test_the_largest_face_is_taken() -> None:
    portrait = find_portrait(PHOTO, Group(), path=Path("photos/us.jpg"))
    assert portrait.box.center_x > 400
    assert portrait.notes == ["There are 2 faces in us.jpg; number 2 from the left moves."]
    crop = portrait.crop(64)
    assert crop.image.shape == (64, 64, 3)
    assert len(crop.others) == 1 and crop.others[0][:, 0].max() < -1, (
        "the other one is to the left of the crop"
    )


def test_a_square_chooses_the_face_nearest_to_it() -> None:
    box = Box(200, 180, 160)
    portrait = find_portrait(PHOTO, Group(), PhotoChoice(box))
    assert portrait.box is box
    assert square_box(portrait.face).center_x < 400
    assert portrait.notes == ["There are 2 faces in the photo; number 1 from the left moves."]


@pytest.mark.parametrize(("number", "middle"), [(1, 150), (2, 600)])
def test_a_number_chooses_the_face_from_the_left(number: int, middle: float) -> None:
    portrait = find_portrait(PHOTO, Group(), PhotoChoice(face=number))
    assert portrait.face.points[:, 0].mean() == pytest.approx(middle, abs=10)


def test_a_number_too_high_is_refused() -> None:
    with pytest.raises(PortraitError, match=r"There are 2 faces in the photo, so there is no face 3\."):
        find_portrait(PHOTO, Group(), PhotoChoice(face=3))


def test_a_photo_without_a_face_is_refused() -> None:
    with pytest.raises(PortraitError, match=r"No face was found in the photo\."):
        find_portrait(PHOTO, Nobody())
    with pytest.raises(PortraitError, match=r"No face was found in us\.jpg\."):
        find_portrait(PHOTO, Nobody(), path=Path("photos/us.jpg"))


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.open()


@needs_faces
@pytest.mark.parametrize("lies", [1, 2, 3])
def test_a_photo_that_lies_on_its_side_is_turned(detector: FaceDetector, lies: int) -> None:
    upright = read_portrait(ANNA)
    portrait = find_portrait(turned(upright, lies), detector)
    assert portrait.turn == 4 - lies
    assert np.array_equal(portrait.photo, upright)
    assert any("it was turned" in note for note in portrait.notes)
    assert find_portrait(upright, detector).turn == 0


@needs_faces
def test_a_turn_that_the_user_chose_is_kept(detector: FaceDetector) -> None:
    upright = read_portrait(ANNA)
    assert find_portrait(turned(upright, 1), detector, PhotoChoice(turn=3)).turn == 3
    with pytest.raises(PortraitError, match="No face"):
        find_portrait(upright, detector, PhotoChoice(turn=2))


def anna(detector: FaceDetector) -> tuple[Image, Face]:
    photo = read_portrait(ANNA)
    return photo, detector.find(photo)[0]


def over(photo: Image, points: Array, colour: tuple[int, int, int]) -> Image:
    """The photo with a patch of one colour over some landmarks and their surroundings."""
    hull = cv2.convexHull(points[:, :2].astype(np.int32))
    patch = cv2.dilate(
        cv2.fillPoly(np.zeros(photo.shape[:2], np.uint8), [hull], 255), np.ones((25, 25), np.uint8)
    )
    return np.where(patch[..., None] > 0, np.array(colour, np.uint8), photo)


def with_eyes_shut(face: Face) -> Face:
    points = face.points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper] = points[lower]
    return Face(points, 1.0)


@needs_faces
@pytest.mark.parametrize("name", [path.name for path in sorted(shipped_avatars().glob("*.jpg"))])
def test_nothing_is_said_of_good_photos(detector: FaceDetector, name: str) -> None:
    photo = read_portrait(shipped_avatars() / name)
    assert not photo_faults(photo, detector.find(photo)[0])


@needs_faces
@pytest.mark.parametrize("colour", [(150, 190, 220), (245, 245, 245), (20, 20, 22), (60, 110, 60)])
def test_a_covered_mouth_is_said(detector: FaceDetector, colour: tuple[int, int, int]) -> None:
    photo, face = anna(detector)
    assert photo_faults(over(photo, face.points[[*range(3, 14), 29]], colour), face) == ["covered"]


@needs_faces
def test_other_faults_are_said(detector: FaceDetector) -> None:
    photo, face = anna(detector)
    assert photo_faults(photo, with_eyes_shut(face)) == ["shut"]
    assert photo_faults((photo // 6).astype(np.uint8), face) == ["dark"]
    assert photo_faults(np.asarray(cv2.GaussianBlur(photo, (0, 0), 6), np.uint8), face) == ["blurred"]
    small = np.asarray(cv2.resize(photo, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA), np.uint8)
    assert photo_faults(small, Face(face.points * np.float32(0.3), 1.0)) == ["small"]
    left = int(face.points[:, 0].mean())
    assert photo_faults(
        np.ascontiguousarray(photo[:, left:]), Face(face.points - np.array([left, 0, 0], np.float32), 1.0)
    ) == ["cut"]


def test_a_face_from_the_side_is_said() -> None:
    angle = np.radians(50)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = (make_head() @ turn.T) * 200 + [400, 200, 0]
    assert photo_faults(PHOTO, Face(points.astype(np.float32), 1.0)) == ["aside"]


@needs_faces
@pytest.mark.parametrize(("name", "fault"), [("x_closed.png", "shut"), ("x_mask.png", "covered")])
def test_photos_that_were_taken_without_a_word(detector: FaceDetector, name: str, fault: str) -> None:
    if not (SHARED / name).is_file():
        pytest.skip("the photo is not part of the project")
    photo = read_portrait(SHARED / name)
    assert fault in photo_faults(photo, detector.find(photo)[0])

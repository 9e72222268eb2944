"""Notices about the face, and which neutral pose is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_app.cameras.rotation import turned
from avatar_app.errors import CameraError
from avatar_app.faces.choice import STILL, FaceChoice
from avatar_app.faces.crop import Region
from avatar_app.faces.detector import FaceDetector, Located
from avatar_app.motion.calibration import NeutralStore
from avatar_app.session.camera_stage import CameraStage
from avatar_app.session.controls import ROTATIONS, Controls
from avatar_app.session.face_watch import FACELESS, NO_FACE, STILL_FACE, FaceWatch, upright_turn
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.session.session import Session
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices
from avatar_app.session.statistics import Meter
from avatar_app.types import Face, Frame, Image, KeyPoints
from tests.session.live import Bench, shows, wait_for, write_photo
from tests.session.stand_ins import DiscDetector, draw_face, draw_ground
from tests.support.scene import FPS, HEIGHT, WIDTH, Person, Scene

HARD_CASES = Path(__file__).resolve().parents[3] / "shared" / "hardcases"
POSTER = Person(lambda now: (480, 160), 90, alive=False)


def watched(people: Sequence[Person], seconds: float) -> tuple[Notices, FaceWatch]:
    """The notice after so many seconds of this scene."""
    scene, notices = Scene(people), Notices()
    faces = FaceChoice(scene)
    watch = FaceWatch(scene, faces, notices, 0.0)
    for index in range(round(seconds * FPS)):
        scene.now = index / FPS
        frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), scene.now, index)
        face = faces.track(frame.image, scene.now)
        watch.add(frame, face is not None and not faces.picture)
    return notices, watch


def test_a_poster_is_said_to_be_one() -> None:
    notices, _ = watched([POSTER], STILL + FACELESS + 1)
    assert notices.all() == (STILL_FACE,)


def test_an_empty_chair_is_said_to_be_one() -> None:
    notices, _ = watched([], FACELESS + 1)
    assert notices.all() == (NO_FACE,)


def test_a_driver_who_comes_back_ends_the_notice() -> None:
    driver = Person(lambda now: None if 2 <= now < 8 else (200, 240))
    assert watched([driver, POSTER], 7.9)[0].all() == (STILL_FACE,)
    assert watched([driver, POSTER], 9)[0].all() == ()


class LyingDetector(FaceDetector):
    """Detects a face only if the picture's brightest corner is at the top left."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        quarters = [
            part.mean() for half in np.array_split(image, 2) for part in np.array_split(half, 2, axis=1)
        ]
        return DiscDetector().find(draw_face()) if int(np.argmax(quarters)) == 0 else []

    def located(self, image: Image, region: Region) -> Located:
        return Located(Face(np.zeros((88, 3), np.float32), 0.0))


def corner_lit() -> Image:
    image = draw_ground()
    image[:20, :30] = 250
    return image


@pytest.mark.parametrize("degrees", ROTATIONS[1:])
def test_a_camera_that_lies_is_offered_to_be_turned(degrees: int) -> None:
    image = turned(corner_lit(), 360 - degrees)
    notices = Notices()
    detector = LyingDetector()
    watch = FaceWatch(detector, FaceChoice(detector), notices, 0.0)
    for index in range(round((FACELESS + 1) * FPS)):
        watch.add(Frame(image, index / FPS, index), followed=False)
    (notice,) = notices.all()
    assert notice.actions == ("turn-camera",) and f"--rotate {degrees}" in notice.hint
    assert watch.turn == degrees
    watch.add(Frame(image, 9.0, 99), followed=True)
    assert watch.turn == 0 and not notices.all()


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_the_camera_is_turned_before_all_else(degrees: int) -> None:
    class Source:
        name, live, arrived = "turned camera", False, 0.0

        def read(self) -> Image:
            return turned(corner_lit(), 360 - degrees if degrees else 0)

        def close(self) -> None:
            pass

    frames: Slot[Frame] = Slot()
    stage = CameraStage(lambda text: Source(), lambda: Controls(rotation=degrees), frames, Meter(), Notices())
    stage.open()
    stage.step()
    frame = frames.take(0)
    assert frame is not None and np.array_equal(frame.image, corner_lit())


@pytest.mark.skipif(not HARD_CASES.is_dir(), reason="no hard cases beside the repository")
@pytest.mark.parametrize(("name", "degrees"), [("side90", {90, 270}), ("upside", {180}), ("painting", {0})])
def test_real_cameras_that_lie(name: str, degrees: set[int]) -> None:
    clip = cv2.VideoCapture(str(HARD_CASES / f"{name}.mp4"))
    frame = np.ascontiguousarray(clip.read()[1][..., ::-1], np.uint8)
    clip.release()
    detector = FaceDetector.open()
    turn = upright_turn(frame, detector)
    assert turn in degrees
    assert detector.find(turned(frame, turn))


def pose(value: float) -> KeyPoints:
    return KeyPoints(np.full((10, 2), value, np.float32))


@pytest.mark.parametrize(
    ("source", "output", "same"),
    [
        ("OBS Virtual Camera, 1280 x 720", "OBS Virtual Camera", True),
        ("Avatar Camera, 1280 x 720", "Avatar Camera (/dev/video9)", True),
        ("/dev/video9, 1280 x 720", "Avatar Camera (/dev/video9)", True),
        ("Webcam, 1280 x 720", "Avatar Camera (/dev/video9)", False),
        ("Webcam, 1280 x 720", "", False),
        ("OBS Virtual Camera, 1280 x 720", "none", False),
    ],
)
def test_the_avatar_never_drives_itself(source: str, output: str, same: bool) -> None:
    class Live:
        name, live, arrived = source, True, 0.0

        def read(self) -> Image:
            return draw_face()

        def close(self) -> None:
            pass

    stage = CameraStage(lambda text: Live(), Controls, Slot(), Meter(), Notices(), lambda: output)
    stage.open()
    if same:
        with pytest.raises(CameraError, match="shows what this app sends"):
            stage.step()
    else:
        stage.step()


def stored(store: NeutralStore) -> float | None:
    kept = store.get("lite|anna")
    return None if kept is None else round(float(kept.value[0, 0]), 3)


@pytest.mark.parametrize("before", [None, 0.1])
def test_the_pose_of_a_poster_is_given_up(tmp_path: Path, before: float | None) -> None:
    store = NeutralStore(tmp_path / "poses.json")
    keeper = NeutralKeeper(store, Notices())
    keeper.begin("lite", "lite|anna", pose(0))
    if before is not None:
        keeper.take(pose(before), proven=True)
    keeper.take(pose(0.2), proven=False)
    keeper.take(pose(0.3), proven=False)
    assert keeper.pose is not None and keeper.pose.value[0, 0] == np.float32(0.3)  # used at once
    keeper.settle(proven=False, picture=True)
    assert (keeper.pose is None) == (before is None)
    assert stored(store) == before == stored(NeutralStore(tmp_path / "poses.json"))


def test_the_pose_of_a_face_that_moves_later_is_kept(tmp_path: Path) -> None:
    store = NeutralStore(tmp_path / "poses.json")
    keeper = NeutralKeeper(store, Notices())
    keeper.begin("lite", "lite|anna", pose(0))
    keeper.take(pose(0.2), proven=False)
    keeper.settle(proven=True, picture=False)
    keeper.settle(proven=False, picture=True)  # another face, later
    assert stored(store) == 0.2


def test_the_user_points_at_a_face_and_turns_the_camera(tmp_path: Path) -> None:
    near, far = Person(lambda now: (200, 240), 200), Person(lambda now: (500, 200), 100)

    class Camera:
        name, live, arrived = "two people", False, 0.0

        def read(self) -> Image:
            self.arrived = time.monotonic()
            return np.zeros((HEIGHT, WIDTH, 3), np.uint8)

        def close(self) -> None:
            pass

    def follows(x: float) -> bool:
        seen = session.seen()
        return seen is not None and seen.points is not None and abs(float(seen.points[:, 0].mean()) - x) < 30

    session = Session(Controls(), open_source=lambda text: Camera(), open_detector=lambda: Scene([near, far]))
    session.start()
    try:
        wait_for(lambda: follows(200))
        wait_for(lambda: (seen := session.seen()) and len(seen.others) == 1)
        session.follow_face(500 / WIDTH, 200 / HEIGHT)
        wait_for(lambda: follows(500))
        session._animate.turn = 90  # as FaceWatch offers it
        session.change(rotation=270)
        session.turn_camera()
        assert session.controls.rotation == 0
    finally:
        session.stop()


def test_a_poster_is_never_calibrated_with(tmp_path: Path) -> None:
    """The whole session.

    A face that does not move is used for a moment, then the call sees the still card again.
    """
    bench = Bench()
    bench.still = True
    controls = Controls(
        avatar=write_photo(tmp_path), output="virtual-camera", fps=60, size=(640, 480), model="drawing"
    )
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(lambda: STILL_FACE in session.status().notices)
        wait_for(shows(session, "card", "uncalibrated"))
        assert not session.status().face
        bench.still = False
        wait_for(lambda: session.status().face and STILL_FACE not in session.status().notices)
    assert bench.leaks == 0

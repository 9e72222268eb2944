"""Which face is followed.

The nearest one that moves, never a poster, and the one that the user clicks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_app.faces.choice import LONG_STILL, LOOK_AGAIN, STILL, FaceChoice
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.liveness import Liveness
from avatar_app.types import Array
from tests.support.heads import make_head
from tests.support.scene import FPS, HEIGHT, WIDTH, Person, Scene

ROOT = Path(__file__).resolve().parents[2]
HARD_CASES = ROOT.parent / "shared" / "hardcases"


def here(x: float, y: float = 240) -> Callable[[float], tuple[float, float] | None]:
    return lambda now: (x, y)


def between(x: float, begin: float, end: float) -> Callable[[float], tuple[float, float] | None]:
    """In the picture for a while."""
    return lambda now: (x, 240) if begin <= now < end else None


POSTER = Person(here(560, 120), 70, alive=False)


def run(scene: Scene, choice: FaceChoice, begin: float, end: float) -> list[float | None]:
    """The position of the followed face, frame by frame.

    None without a face and while it counts as a picture.
    """
    followed: list[float | None] = []
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for index in range(round(begin * FPS), round(end * FPS)):
        scene.now = index / FPS
        face = choice.track(image, scene.now)
        followed.append(None if face is None or choice.picture else float(face.points[:, 0].mean()))
    return followed


def is_near(followed: list[float | None], x: float) -> bool:
    return all(place is not None and abs(place - x) < 30 for place in followed)


def test_a_poster_is_not_followed_when_the_driver_leaves() -> None:
    scene = Scene([Person(lambda now: (200, 240) if now < 3 or now >= 8 else None), POSTER])
    choice = FaceChoice(scene)
    assert is_near(run(scene, choice, 0, 3), 200)
    assert set(run(scene, choice, 3, 8)) == {None}
    assert choice.only_pictures
    assert is_near(run(scene, choice, 8, 20), 200)


def test_a_poster_that_comes_to_sight_behind_the_driver_is_not_followed() -> None:
    hidden = Person(lambda now: (220, 200) if now >= 3 else None, 70, alive=False)
    scene = Scene([Person(between(200, 0, 3)), hidden])
    choice = FaceChoice(scene)
    run(scene, choice, 0, 3)
    assert set(run(scene, choice, 3, 20)) == {None}


def test_a_poster_alone_is_found_out_and_the_driver_taken_at_once() -> None:
    scene = Scene([Person(between(200, 8, 99)), POSTER])
    choice = FaceChoice(scene)
    assert is_near(run(scene, choice, 0, STILL - 0.5), 560)
    assert set(run(scene, choice, STILL + 0.5, 8)) == {None}
    assert choice.only_pictures and not choice.proven
    run(scene, choice, 8, 8 + LOOK_AGAIN)
    assert is_near(run(scene, choice, 8 + LOOK_AGAIN, 12), 200)
    assert choice.proven


def test_a_shaken_camera_does_not_make_a_poster_live() -> None:
    scene = Scene(
        [Person(lambda now: (560 + 6 * np.sin(9 * now), 120 + 5 * np.cos(7 * now)), 120, alive=False)]
    )
    choice = FaceChoice(scene)
    run(scene, choice, 0, 12)
    assert choice.picture


def test_a_calm_person_never_becomes_a_picture() -> None:
    scene = Scene([Person(here(320), 200)])
    choice = FaceChoice(scene)
    assert is_near(run(scene, choice, 0, LONG_STILL + 5), 320)


def test_the_nearest_of_several_people_drives() -> None:
    scene = Scene([Person(here(150), 90), Person(here(330), 200), Person(here(540), 110)])
    assert is_near(run(scene, FaceChoice(scene), 0, 5), 330)


def test_somebody_much_nearer_takes_over_and_somebody_a_little_nearer_does_not() -> None:
    for height, follows in ((240, 200), (380, 420)):
        scene = Scene([Person(here(200), 200), Person(between(420, 2, 99), height)])
        choice = FaceChoice(scene)
        run(scene, choice, 0, 6)
        assert is_near(run(scene, choice, 6, 8), follows)


def test_a_calibration_looks_again() -> None:
    scene = Scene([Person(here(200), 150), Person(between(420, 2, 99), 200)])
    choice = FaceChoice(scene)
    assert is_near(run(scene, choice, 0, 6), 200)
    choice.choose_again()
    assert is_near(run(scene, choice, 6, 7), 420)


def test_a_face_that_is_pointed_at_is_followed_until_it_is_gone() -> None:
    scene = Scene([Person(here(200), 200), Person(lambda now: (480, 200) if now < 10 else None, 100)])
    choice = FaceChoice(scene)
    run(scene, choice, 0, 3)
    choice.choose_at(480 / WIDTH, 200 / HEIGHT)
    assert is_near(run(scene, choice, 3, 6), 480)
    choice.choose_again()  # a calibration keeps the user's choice
    assert is_near(run(scene, choice, 6, 10), 480)
    run(scene, choice, 10, 12)
    assert is_near(run(scene, choice, 12, 14), 200)


def test_a_driver_who_is_hidden_for_a_moment_is_followed_again_at_once() -> None:
    scene = Scene([Person(lambda now: None if 3 <= now < 4 else (300 + 40 * (now >= 4), 240)), POSTER])
    choice = FaceChoice(scene)
    run(scene, choice, 0, 4)
    assert is_near(run(scene, choice, 4, 5), 340)


def test_looking_again_costs_one_look_a_second() -> None:
    scene = Scene([Person(here(320))])
    run(scene, FaceChoice(scene), 0, 10)
    assert scene.looks <= 11


@pytest.mark.parametrize("height", [64, 120, 240])
def test_a_blink_is_life_and_noise_of_the_sensor_is_not(height: float) -> None:
    noise = np.random.default_rng(1)

    def seen(lids: float) -> Array:
        return (make_head(lids=lids) * height + noise.normal(0, 0.25, (88, 3))).astype(np.float32)

    life = Liveness(seen(0.1), 0.0)
    for frame in range(100):
        life.add(seen(0.1), frame / FPS)
    assert not life.moved and life.still > 4.5
    life.add(seen(0.0), 6.0)
    assert life.still == 0.0


def test_a_computer_that_slept_is_no_stillness() -> None:
    life = Liveness(make_head().astype(np.float32) * 100, 0.0)
    life.add(make_head().astype(np.float32) * 100, 8 * 3600.0)
    assert life.still < STILL


@pytest.mark.skipif(not HARD_CASES.is_dir(), reason="no hard cases beside the repository")
def test_the_real_poster_is_not_followed() -> None:
    clip = cv2.VideoCapture(str(HARD_CASES / "painting.mp4"))
    choice = FaceChoice(FaceDetector.open())
    places: list[float | None] = []
    while (read := clip.read())[0]:
        face = choice.track(np.ascontiguousarray(read[1][..., ::-1], np.uint8), len(places) / 20)
        places.append(None if face is None else float(face.points[:, 0].mean()))
    clip.release()
    assert all(place is None or place < 400 for place in places)
    assert all(place is not None for place in places[:50] + places[95:])

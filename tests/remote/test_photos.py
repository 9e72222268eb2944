"""A photo sent to a server, its scene sent back, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import PIL.Image
import pytest

from avatar_app.faces.portrait import ABOVE, BESIDE
from avatar_app.outputs import placement
from avatar_app.remote import photos
from avatar_app.remote.messages import MalformedMessage, Photo, SceneMessage, pack, unpack
from avatar_app.remote.photos import layer_area, packed_photo, packed_scene, read_photo, unpacked_scene
from avatar_app.types import Area, Crop, Scene, Surroundings
from tests.remote.serving import SIZE, scene_around
from tests.support.heads import make_head

CORNER = (48, 40)


def waves(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A smooth picture, which survives JPEG."""
    rows, columns = np.mgrid[:height, :width] / 9.0
    return np.stack([127 + 100 * np.sin(rows), 127 + 100 * np.cos(columns), rows + columns], 2).astype(
        np.uint8
    )


def crop() -> Crop:
    (x, y), image = CORNER, waves(144, 160)
    around = Surroundings(image, CORNER, Area(3, 0, 160, 140))
    landmarks = make_head().astype(np.float32)
    expression = np.linspace(-1, 1, 24, dtype=np.float32)
    return Crop(image[y : y + SIZE, x : x + SIZE].copy(), landmarks, (), around, expression)


def sent(photo: Photo) -> Photo:
    received = unpack(pack(photo))
    assert isinstance(received, Photo)
    return received


def test_a_photo_survives_the_way_with_its_expression_and_surroundings() -> None:
    mine = crop()
    there = read_photo(sent(packed_photo(7, mine)), SIZE)
    np.testing.assert_array_equal(there.image, mine.image)
    np.testing.assert_array_equal(there.landmarks, mine.landmarks)
    np.testing.assert_array_equal(there.expression, mine.expression)
    assert there.around is not None
    assert mine.around is not None
    assert (there.around.corner, there.around.photo) == (mine.around.corner, mine.around.photo)
    assert np.abs(there.around.image.astype(int) - mine.around.image).mean() < 2


def test_surroundings_that_are_too_large_stay_at_home() -> None:
    large = replace(crop(), around=Surroundings(waves(300, 300), (100, 100), Area(0, 0, 300, 300)))
    assert packed_photo(1, large).around is None


def scene() -> Scene:
    made = scene_around(crop())
    assert made is not None
    return made


def test_a_scene_survives_the_way() -> None:
    message = unpack(pack(packed_scene(3, scene())))
    assert isinstance(message, SceneMessage)
    back, mine = unpacked_scene(message, SIZE), scene()
    np.testing.assert_array_equal(back.person[..., 3], mine.person[..., 3])
    for name in ("corner", "side", "head", "ends", "photo"):
        assert getattr(back, name) == getattr(mine, name), name
    assert np.abs(back.background.astype(int) - mine.background).mean() < 2
    assert np.abs(back.person.astype(int) - mine.person).mean() < 2


def file(kind: str, width: int, height: int, **options: Any) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(waves(height, width)).save(out, kind, **options)
    return out.getvalue()


def changed(**wrong: Any) -> Photo:
    photo = packed_photo(1, crop())
    assert photo.around is not None
    around = {name: wrong.pop(name) for name in ("image", "corner", "photo") if name in wrong}
    return msgspec.structs.replace(photo, around=msgspec.structs.replace(photo.around, **around), **wrong)


WRONG = {
    "a JPEG for a PNG": {"png": file("JPEG", SIZE, SIZE)},
    "another size": {"png": file("PNG", SIZE, 2 * SIZE)},
    "a cut file": {"png": file("PNG", SIZE, SIZE)[:-40]},
    "no file": {"png": b""},
    "landmarks of no face": {"landmarks": b"\0" * 12},
    "numbers that are none": {"landmarks": np.full(264, np.nan, "<f4").tobytes()},
    "an expression that is too short": {"expression": b"\0" * 8},
    "surroundings without a margin": {"corner": (0, 0)},
    "a square beyond its surroundings": {"corner": (100, 40)},
    "negative places": {"corner": (-9, -9)},
    "a photo beyond its surroundings": {"photo": (0, 0, 161, 10)},
    "a photo inside out": {"photo": (10, 10, 5, 20)},
    "surroundings as a PNG": {"image": file("PNG", 160, 144)},
    "a picture of many scans": {"image": file("JPEG", 160, 144, progressive=True)},
    "huge surroundings": {"image": file("JPEG", 4 * SIZE + 1, 144)},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_photos_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        read_photo(sent(changed(**dict(wrong))), SIZE)


WRONG_SCENES: dict[str, dict[str, Any]] = {
    "an alpha of another size": {"alpha": file("PNG", 20, 20)},
    "a background of another size": {"background": file("JPEG", 20, 20)},
    "a corner outside": {"corner": (150, 0)},
    "a head that is far away": {"head": (1e9, 0.0)},
    "numbers that are none": {"head": (float("nan"), 0.0)},
    "a photo outside": {"photo": (-100, 0, 10, 10)},
}


@pytest.mark.parametrize("wrong", WRONG_SCENES.values(), ids=WRONG_SCENES)
def test_scenes_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        unpacked_scene(msgspec.structs.replace(packed_scene(1, scene()), **wrong), SIZE)


@pytest.mark.parametrize(
    "area", [(0, 0, 0, 4), (4, 0, 0, 4), (0, 0, 3, 4), (-5, 0, 60, 4), (0, -22, 4, 4), (0, 0, 4, 86)]
)
def test_areas_outside_of_the_avatar_are_refused(area: tuple[int, int, int, int]) -> None:
    with pytest.raises(MalformedMessage):
        layer_area(area, SIZE)


def test_a_server_takes_every_area_that_a_canvas_asks_for_and_every_photo_that_a_call_has() -> None:
    assert photos.REACH == (placement.SWAY, placement.LIFT)
    assert min(BESIDE - 0.01, ABOVE - 0.01) > 1 / min(photos.REACH)
    assert max(1 + 2 * BESIDE, 1 + 2 * ABOVE) < photos.MOST_AROUND
    for size in ((1280, 720), (640, 480), (480, 640), (720, 720)):
        area = placement.moving_area(scene(), size)
        assert layer_area(photos.rectangle(area), SIZE) == area

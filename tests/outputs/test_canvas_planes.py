"""Pictures composed as planes look the same as pictures composed in RGB and then converted."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

from avatar_app.media.photo import read_portrait
from avatar_app.outputs.canvas import FEATHER, Canvas
from avatar_app.outputs.i420 import Outgoing, split, to_planes
from avatar_app.outputs.label import draw_label
from avatar_app.outputs.sides import blurred_extension, read_background
from avatar_app.outputs.square import layer_planes
from avatar_app.paths import shipped_avatars
from avatar_app.types import Image, Picture
from tests.support.media import picture

BACKGROUNDS = ("blur", "#f08020", "wall.png")
SIZES = ((640, 480), (1280, 720), (480, 480), (854, 480))
"""The canvases of calls, one without a background, and one whose half of the remainder is odd."""


def in_rgb(image: Image, size: tuple[int, int], background: str, mirror: bool, label: bool) -> Image:
    """What ``Canvas`` did before it used planes, in floats, (height, width, 3)."""
    width, height = size
    image = image[:, ::-1] if mirror else image
    behind = (
        blurred_extension(np.ascontiguousarray(image), size)
        if background == "blur"
        else read_background(background, size)
    )
    canvas = behind.astype(float)
    left = (width - height) // 4 * 2
    square = cv2.resize(image, (height, height), interpolation=cv2.INTER_CUBIC)
    fade = round(height * FEATHER) if width > height else 0
    rise = np.arange(1, fade + 1) / (fade + 1)
    share = np.concatenate([rise, np.ones(height - 2 * fade), rise[::-1]])[None, :, None]
    canvas[:, left : left + height] = square * share + canvas[:, left : left + height] * (1 - share)
    if label:
        tag, margin = draw_label(round(height * 0.045)).astype(float), round(height * 0.03)
        spot = canvas[-margin - tag.shape[0] : -margin, margin : margin + tag.shape[1]]
        spot[:] = spot + (tag[..., :3] - spot) * tag[..., 3:] / 255
    return canvas.round().astype(np.uint8)


@cache
def face(side: int) -> Image:
    photo = read_portrait(sorted(shipped_avatars().glob("*.jpg"))[0])
    cut = min(photo.shape[:2])
    return np.asarray(cv2.resize(photo[:cut, :cut], (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def differences(first: Outgoing, second: Image) -> list[npt.NDArray[np.int_]]:
    """Of luma, U and V, in levels."""
    return [
        np.abs(one.astype(int) - two)
        for one, two in zip(split(first.planes), split(to_planes(second)), strict=True)
    ]


@pytest.fixture(autouse=True)
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PIL.Image.fromarray(face(500)).save(tmp_path / "wall.png")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("turned_and_labelled", [False, True])
def test_planes_look_like_rgb_converted(
    size: tuple[int, int], background: str, side: int, turned_and_labelled: bool
) -> None:
    canvas = Canvas(size, background, turned_and_labelled, turned_and_labelled)
    for image, most in ((picture(side, side, 90), 2), (face(side), 255)):
        expected = in_rgb(image, size, background, turned_and_labelled, turned_and_labelled)
        canvas.reset()
        for plane in differences(canvas.compose(Picture(image, 0.0)), expected):
            # One level for each of two roundings; in a photo, where enlarging overshoots or colours change
            # abruptly, a few pixels more.
            assert plane.max() <= most
            assert np.percentile(plane, 99.9) <= 2
            assert plane.mean() < 0.5


@pytest.mark.parametrize("side", [64, 255, 257, 258, 768])
def test_pictures_may_have_any_side(side: int) -> None:
    expected = in_rgb(face(side), (1280, 720), "blur", False, False)
    for plane in differences(Canvas((1280, 720), "blur").compose(Picture(face(side), 0.0)), expected):
        assert np.percentile(plane, 99.9) <= 2
        assert plane.mean() < 0.5


def test_a_shift_by_a_pixel_would_be_noticed() -> None:
    """The two tests above can fail."""
    sent = Canvas((1280, 720), "blur").compose(Picture(face(512), 0.0))
    for plane in differences(sent, np.roll(in_rgb(face(512), (1280, 720), "blur", False, False), 2, axis=1)):
        assert np.percentile(plane, 99.9) > 2


def test_colours_at_edges_of_small_pictures_stay_where_they_are() -> None:
    """With chroma of half the side, red stripes of two pixels on grey would lose half of their colour."""
    stripes = np.full((256, 256, 3), 120, np.uint8)
    stripes[:, 1::4] = stripes[:, 2::4] = (220, 60, 60)
    red = split(Canvas((1280, 720), "#000000").compose(Picture(stripes, 0.0)).planes)[2][180, 200:300].astype(
        int
    )
    expected = split(to_planes(in_rgb(stripes, (1280, 720), "#000000", False, False)))[2][
        180, 200:300
    ].astype(int)
    assert np.ptp(red) > 0.9 * np.ptp(expected)


@pytest.mark.parametrize("side", [260, 384, 512, 768])
def test_bands_are_the_whole(side: int) -> None:
    for band, whole in zip(layer_planes(face(side)), split(to_planes(face(side))), strict=True):
        assert np.array_equal(band, whole)


def test_planes_are_split_without_a_copy() -> None:
    for width, height in (
        (640, 480),
        (62, 46),
        (2, 2),
    ):  # half of 46 rows is odd: V begins in the middle of a row
        planes = np.arange(width * height * 3 // 2).astype(np.uint8).reshape(-1, width)
        luma, first, second = split(planes)
        assert (luma.shape, first.shape, second.shape) == (
            (height, width),
            (height // 2, width // 2),
            (height // 2, width // 2),
        )
        assert np.array_equal(
            np.concatenate([plane.reshape(-1) for plane in (luma, first, second)]), planes.reshape(-1)
        )
        assert all(np.shares_memory(plane, planes) for plane in (luma, first, second))


def test_rgb_is_made_on_demand() -> None:
    image = picture(62, 46, 90)
    sent = Outgoing(to_planes(image), 0.0)
    assert (sent.size, sent.rgb().shape) == ((62, 46), (46, 62, 3))
    smooth = np.abs(sent.rgb().astype(int) - image)[:, :-1]
    assert smooth.mean() < 4, "but for the colour, which is of every second pixel"
    assert not np.shares_memory(sent.rgb(), sent.rgb())


@pytest.mark.parametrize("shape", [(48, 64, 3), (47, 64), (48, 63), (48,)])
def test_what_is_no_planes_does_not_go_out(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="I420"):
        Outgoing(np.zeros(shape, np.uint8), 0.0)

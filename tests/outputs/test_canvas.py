"""The position of the avatar's picture on the canvas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from avatar_app.errors import OutputError
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.i420 import split
from avatar_app.session.controls import SIZES
from avatar_app.types import Frame, Framing, Image, Picture
from tests.support.media import picture


def far(first: Image, second: Image) -> float:
    """Mean difference of two pictures, in levels."""
    return float(np.abs(first.astype(int) - second).mean())


def plain(color: tuple[int, int, int], size: int = 64) -> Image:
    return np.full((size, size, 3), color, np.uint8)


def placed(canvas: Canvas, image: Image) -> Image:
    """The RGB picture that a call decodes from the planes.

    It differs by up to two levels by the rounding of both conversions.
    """
    return canvas.compose(Picture(image, 0.0)).rgb()


def filled(canvas: Canvas, image: Image) -> Image:
    return canvas.compose_wide(Frame(image, 0.0, 0)).rgb()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mirror", [False, True])
def test_square_fills_the_height_in_the_middle(size: tuple[int, int], mirror: bool) -> None:
    width, height = size
    canvas = placed(Canvas(size, "#102030", mirror=mirror), picture(256, 256))
    assert (canvas.shape, canvas.dtype) == ((height, width, 3), np.uint8)
    expected = picture(height, height)[:, :: -1 if mirror else 1]
    left, feather = (width - height) // 2, height // 20
    inside = slice(left + feather, left + height - feather)
    assert far(canvas[:, inside], expected[:, feather:-feather]) < 2
    for side in (canvas[:, :left], canvas[:, left + height :]):
        assert np.abs(side.astype(int) - (0x10, 0x20, 0x30)).max() <= 2


def test_edges_fade_into_the_background() -> None:
    row = placed(Canvas((640, 480), "#000000"), plain((255, 255, 255)))[240, :, 0].astype(int)
    steps = np.diff(row)
    assert (steps[:320] >= 0).all()
    assert (steps[320:] <= 0).all()
    assert np.abs(steps).max() < 40
    assert (row[:80].max(), row[100:540].min()) == (0, 255)


def test_each_picture_has_planes_of_its_own() -> None:
    canvas = Canvas((640, 480), "blur", label=True)
    first = canvas.compose(Picture(plain((200, 0, 0)), 0.0)).planes
    kept = first.copy()
    second = canvas.compose(Picture(plain((0, 0, 200)), 0.0)).planes
    assert (first == kept).all()
    assert not np.shares_memory(first, second)
    first, second = (canvas.compose_wide(Frame(picture(640, 480), 0.0, index)).planes for index in range(2))
    assert not np.shares_memory(first, second)


def test_what_goes_out_says_what_it_shows() -> None:
    canvas = Canvas((640, 480), "#000000")
    sent = canvas.compose(Picture(plain((9, 9, 9)), 7.5, "anna"))
    assert (sent.size, sent.captured_at, sent.avatar) == ((640, 480), 7.5, "anna")
    sent = canvas.compose_wide(Frame(picture(640, 480), 8.5, 3))
    assert (sent.size, sent.captured_at, sent.avatar) == ((640, 480), 8.5, "")


def test_blur_stays_until_the_avatar_changes() -> None:
    canvas = Canvas((640, 480), "blur")
    first = placed(canvas, plain((200, 10, 10)))
    second = placed(canvas, plain((10, 10, 200)))
    assert (first[:, :80] == second[:, :80]).all()
    assert far(second[:, 240:400], plain((10, 10, 200), 1)) < 1
    canvas.reset()
    third = placed(canvas, plain((10, 10, 200)))
    assert third[:, :80, 2].min() > 3 * third[:, :80, 0].max()


def test_blur_continues_the_picture_softer_and_darker() -> None:
    fine = np.random.default_rng(0).integers(100, 156, (256, 256, 3), np.uint8)
    fine[128:] //= 2
    sent = Canvas((1280, 720), "blur").compose(Picture(fine, 0.0))
    side = sent.rgb()[:, :280].astype(float)
    assert side[:, :20].mean() < side[:, 230:250].mean() < fine.mean()
    for plane, columns in zip(split(sent.planes), (280, 140, 140), strict=True):
        assert np.abs(np.diff(plane[:, :columns].astype(int), axis=1)).max() <= 3
    assert side[:250, 240].mean() > 1.6 * side[470:, 240].mean()


def test_colour_and_picture_outlive_reset(tmp_path: Path) -> None:
    path = tmp_path / "wall é.png"
    PIL.Image.fromarray(picture(300, 300)).save(path)
    for background in ("#ff8000", str(path)):
        canvas = Canvas((640, 480), background)
        before = placed(canvas, plain((0, 0, 0)))
        canvas.reset()
        assert (placed(canvas, plain((0, 0, 0))) == before).all()


def test_picture_background_covers_the_canvas(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    PIL.Image.fromarray(picture(300, 300)).save(path)
    canvas = placed(Canvas((640, 480), str(path)), plain((0, 0, 0)))
    left, right = canvas[:, :80], canvas[:, 560:]
    assert left[..., 0].mean() == pytest.approx(255 * 40 / 640, abs=3)
    assert right[..., 0].mean() == pytest.approx(255 * 600 / 640, abs=3)
    # The upper and lower eighth of a square picture are beyond a canvas of 4:3.
    assert left[0, 0, 1] == pytest.approx(255 / 8, abs=3)


@pytest.mark.parametrize(
    "background", ["#12345", "#gg0000", "#", "#1234567", "no-such.png", "", ".", "text.png"]
)
def test_background_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(OutputError) as caught:
        Canvas((640, 480), background)
    assert background in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("size", SIZES)
def test_label_is_small_legible_and_never_mirrored(size: tuple[int, int]) -> None:
    for shade in (0, 255):
        face = plain((shade, shade, shade))
        without = placed(Canvas(size, "blur"), face)
        labelled = placed(Canvas(size, "blur", label=True), face)
        assert (placed(Canvas(size, "blur", mirror=True, label=True), face) == labelled).all()
        changed = np.argwhere((without != labelled).any(axis=2))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert top > 0.9 * size[1]
        assert right < 0.25 * size[0]
        assert left > 5
        assert bottom < size[1] - 5
        tag = labelled[top : bottom + 1, left : right + 1]
        assert tag.max() > 220
        assert int(tag.max()) - int(np.median(tag)) > 120


def test_wide_picture_is_cut_to_the_canvas() -> None:
    wide = filled(Canvas((640, 480), "blur", label=True), picture(1280, 720))
    assert wide.shape == (480, 640, 3)
    assert wide[0, 0, 0] == pytest.approx(255 / 8, abs=2)
    assert (wide[0, 0, 1], wide[-1, 0, 1]) == (pytest.approx(0, abs=2), pytest.approx(255, abs=2))
    tall = filled(Canvas((1280, 720), "#000000"), picture(480, 640))
    assert (tall[0, 0, 0], tall[0, -1, 0]) == (pytest.approx(0, abs=2), pytest.approx(255, abs=2))


def test_wide_picture_is_mirrored() -> None:
    frame = Frame(picture(1280, 720), 0.0, 0)
    wide, mirrored = (
        split(Canvas((640, 480), "blur", mirror=mirror).compose_wide(frame).planes)
        for mirror in (False, True)
    )
    assert (mirrored[0] == wide[0][:, ::-1]).all()
    for before, after in zip(wide[1:], mirrored[1:], strict=True):  # of one or the other of two neighbours
        assert np.abs(after.astype(int) - before[:, ::-1]).max() <= 1


def test_square_canvas_has_no_background() -> None:
    canvas = placed(Canvas((480, 480), "blur"), picture(480, 480))
    assert far(canvas, picture(480, 480)) < 1


@pytest.mark.parametrize("size", [(641, 480), (640, 479)])
def test_odd_canvas_is_a_mistake(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="even"):
        Canvas(size, "blur")


def test_upright_canvas_is_a_lying_one_turned() -> None:
    image = picture(256, 256)
    lying = placed(Canvas((640, 480), "blur"), image)
    turned = placed(Canvas((480, 640), "blur"), np.ascontiguousarray(image.transpose(1, 0, 2)))
    assert far(turned.transpose(1, 0, 2), lying) < 1.5


def test_zoom_and_pan_show_a_part_of_an_opaque_square() -> None:
    image = picture(256, 256)
    shown = placed(Canvas((480, 480), "blur", framing=Framing(2.0, 0.25, 0.0)), image)
    assert far(shown, placed(Canvas((480, 480), "blur"), image[64:192, 32:160])) < 1
    smaller = placed(Canvas((480, 480), "blur", framing=Framing(0.5)), image)
    assert far(smaller, placed(Canvas((480, 480), "blur"), image)) == 0

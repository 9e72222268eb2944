"""The avatar picture in its place on the canvas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from avatar_app.errors import OutputError
from avatar_app.pipeline.canvas import Canvas
from avatar_app.pipeline.state import SIZES
from avatar_app.types import Image
from tests.media import picture


def far(first: Image, second: Image) -> float:
    """Mean difference of two pictures, in levels."""
    return float(np.abs(first.astype(int) - second).mean())


def plain(color: tuple[int, int, int], size: int = 64) -> Image:
    return np.full((size, size, 3), color, np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mirror", [False, True])
def test_square_fills_the_height_in_the_middle(size: tuple[int, int], mirror: bool) -> None:
    width, height = size
    canvas = Canvas(size, "#102030", mirror=mirror).compose(picture(256, 256))
    assert (canvas.shape, canvas.dtype) == ((height, width, 3), np.uint8)
    expected = picture(height, height)[:, :: -1 if mirror else 1]
    left, feather = (width - height) // 2, height // 20
    inside = slice(left + feather, left + height - feather)
    assert far(canvas[:, inside], expected[:, feather:-feather]) < 2
    assert (canvas[:, :left] == (0x10, 0x20, 0x30)).all()
    assert (canvas[:, left + height :] == (0x10, 0x20, 0x30)).all()


def test_edges_fade_into_the_background() -> None:
    row = Canvas((640, 480), "#000000").compose(plain((255, 255, 255)))[240, :, 0].astype(int)
    steps = np.diff(row)
    assert (steps[:320] >= 0).all()
    assert (steps[320:] <= 0).all()
    assert np.abs(steps).max() < 40
    assert (row[:80].max(), row[100:540].min()) == (0, 255)


def test_each_picture_is_an_array_of_its_own() -> None:
    canvas = Canvas((640, 480), "blur", label=True)
    first = canvas.compose(plain((200, 0, 0)))
    kept = first.copy()
    second = canvas.compose(plain((0, 0, 200)))
    assert (first == kept).all()
    assert not np.shares_memory(first, second)


def test_blur_stays_until_the_avatar_changes() -> None:
    canvas = Canvas((640, 480), "blur")
    first = canvas.compose(plain((200, 10, 10)))
    second = canvas.compose(plain((10, 10, 200)))
    assert (first[:, :80] == second[:, :80]).all()
    assert far(second[:, 240:400], plain((10, 10, 200), 1)) < 1
    canvas.reset()
    third = canvas.compose(plain((10, 10, 200)))
    assert third[:, :80, 2].min() > 3 * third[:, :80, 0].max()


def test_blur_continues_the_picture_softer_and_darker() -> None:
    fine = np.random.default_rng(0).integers(100, 156, (256, 256, 3), np.uint8)
    fine[128:] //= 2
    side = Canvas((1280, 720), "blur").compose(fine)[:, :280].astype(float)
    assert side[:, :20].mean() < side[:, 230:250].mean() < fine.mean()
    assert np.abs(np.diff(side, axis=1)).max() <= 3
    assert side[:250, 240].mean() > 1.6 * side[470:, 240].mean()


def test_colour_and_picture_outlive_reset(tmp_path: Path) -> None:
    path = tmp_path / "wall é.png"
    PIL.Image.fromarray(picture(300, 300)).save(path)
    for background in ("#ff8000", str(path)):
        canvas = Canvas((640, 480), background)
        before = canvas.compose(plain((0, 0, 0)))
        canvas.reset()
        assert (canvas.compose(plain((0, 0, 0))) == before).all()


def test_picture_background_covers_the_canvas(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    PIL.Image.fromarray(picture(300, 300)).save(path)
    canvas = Canvas((640, 480), str(path)).compose(plain((0, 0, 0)))
    left, right = canvas[:, :80], canvas[:, 560:]
    assert left[..., 0].mean() == pytest.approx(255 * 40 / 640, abs=3)
    assert right[..., 0].mean() == pytest.approx(255 * 600 / 640, abs=3)
    # The upper and lower eighth of a square picture are beyond a canvas of 4:3.
    assert left[0, 0, 1] == pytest.approx(255 / 8, abs=3)


@pytest.mark.parametrize("background", ["#12345", "#gg0000", "#", "#1234567", "no-such.png", "", ".", "text.png"])
def test_background_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: str) -> None:
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
        without = Canvas(size, "blur").compose(face)
        labelled = Canvas(size, "blur", label=True).compose(face)
        assert (Canvas(size, "blur", mirror=True, label=True).compose(face) == labelled).all()
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
    wide = Canvas((640, 480), "blur", label=True).compose_wide(picture(1280, 720))
    assert wide.shape == (480, 640, 3)
    assert wide[0, 0, 0] == pytest.approx(255 / 8, abs=2)
    assert (wide[0, 0, 1], wide[-1, 0, 1]) == (0, 255)
    tall = Canvas((1280, 720), "#000000").compose_wide(picture(480, 640))
    assert (tall[0, 0, 0], tall[0, -1, 0]) == (0, 255)
    mirrored = Canvas((640, 480), "blur", mirror=True).compose_wide(picture(1280, 720))
    assert (mirrored == wide[:, ::-1]).all()


def test_square_canvas_has_no_background() -> None:
    canvas = Canvas((480, 480), "blur").compose(picture(480, 480))
    assert far(canvas, picture(480, 480)) < 1


def test_upright_canvas_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="wide"):
        Canvas((480, 640), "blur")

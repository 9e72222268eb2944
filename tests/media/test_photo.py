"""Photos of every kind become plain upright RGB, or are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from avatar_app.errors import PortraitError
from avatar_app.media.photo import GROUND, LONGEST, read_portrait
from tests.support.media import picture

ORIENTATION = 0x0112


def save(path: Path, image: object, mode: str | None = None, **options: object) -> Path:
    photo = image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(np.asarray(image), mode=None)
    (photo.convert(mode) if mode else photo).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.webp", "photo.bmp", "photo.tiff"])
def test_kinds_of_file(tmp_path: Path, name: str) -> None:
    image = read_portrait(save(tmp_path / name, picture(200, 100)))
    assert (image.shape, image.dtype) == ((100, 200, 3), np.uint8)
    assert np.abs(image.astype(int) - picture(200, 100)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photo_is_upright(tmp_path: Path, orientation: int) -> None:
    upright = picture(200, 100)
    upside_down = upright[::-1, ::-1]
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upside_down,
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upside_down.transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(tmp_path / "photo.jpg", np.ascontiguousarray(stored), quality=95, exif=exif)
    assert np.abs(read_portrait(path).astype(int) - upright).mean() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_show_a_neutral_ground(tmp_path: Path, mode: str) -> None:
    rgba = PIL.Image.new("RGBA", (100, 100), (200, 200, 200, 255))
    rgba.paste((0, 0, 0, 0), (0, 0, 100, 50))
    image = read_portrait(save(tmp_path / "photo.png", rgba, mode))
    assert np.abs(image[10, 10].astype(int) - GROUND).max() < 3
    assert np.abs(image[90, 90].astype(int) - 200).max() < 3


@pytest.mark.parametrize("mode", ["L", "CMYK", "I;16"])
def test_grey_and_other_modes(tmp_path: Path, mode: str) -> None:
    grey = np.linspace(0, 255, 100 * 100).reshape(100, 100).astype(np.uint8)
    if mode == "I;16":
        path = save(tmp_path / "photo.png", (grey.astype(np.uint16) * 257))
    else:
        path = save(tmp_path / "photo.tiff", grey, mode)
    image = read_portrait(path)
    assert image.shape == (100, 100, 3)
    assert np.abs(image[..., 0].astype(int) - grey).mean() < 3


def test_dark_photo_of_16_bits_stays_dark(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png", np.full((80, 80), 200, np.uint16))
    assert read_portrait(path).max() <= 1


def test_colour_of_16_bits(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "photo.png"), picture(100, 100)[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(read_portrait(tmp_path / "photo.png").astype(int) - picture(100, 100)).mean() < 2


def test_30_megapixels_are_reduced(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.jpg", PIL.Image.new("RGB", (6720, 4480), (10, 200, 30)))
    image = read_portrait(path)
    assert image.shape[1] == LONGEST
    assert image.shape[0] == pytest.approx(LONGEST * 2 / 3, abs=1)


def test_100_megapixels_are_read_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are errors in tests. Pillow warns from a limit on, which is set here to what a quick picture has."""
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10_000)
    assert read_portrait(save(tmp_path / "photo.png", picture(150, 100))).shape == (100, 150, 3)


def bad(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "photo.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "text":
        path.write_text("not a photo")
    elif kind == "svg":
        path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    elif kind.startswith("cut short "):
        data = save(tmp_path / f"whole.{kind.split()[-1]}", noise).read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif kind == "40 pixels":
        save(path, picture(40, 40))
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no photo"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("garbage", "is not a picture"),
        ("text", "is not a picture"),
        ("svg", "is not a picture"),
        ("cut short jpg", "damaged or cut short"),
        ("cut short png", "damaged or cut short"),
        ("cut short webp", "(damaged or cut short|is not a picture)"),
        ("40 pixels", "only 40 x 40 pixels"),
    ],
)
def test_unusable_photo_is_named(tmp_path: Path, kind: str, says: str) -> None:
    path = bad(tmp_path, kind)
    with pytest.raises(PortraitError, match=says) as caught:
        read_portrait(path)
    assert str(path) in caught.value.message
    assert caught.value.hint

"""Photos of every kind become plain upright RGB, or are refused with a reason."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import PIL.ImageCms
import pillow_heif
import pytest

from avatar_app.errors import PortraitError
from avatar_app.media.photo import GROUND, LONGEST, read_portrait
from tests.support.media import picture

ORIENTATION = 0x0112


def save(path: Path, image: object, mode: str | None = None, **options: object) -> Path:
    photo = image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(np.asarray(image), mode=None)
    photo = photo.convert(mode) if mode else photo
    if path.suffix in (".heic", ".heif"):  # the app reads it with pi_heif, which cannot write
        photo.info["icc_profile"] = options.pop("icc_profile", None)
        pillow_heif.from_pillow(photo).save(path, **options)
    else:
        photo.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "name",
    [
        "photo.png",
        "photo.jpg",
        "photo.webp",
        "photo.bmp",
        "photo.tiff",
        "photo.heic",
        "photo.heif",
        "photo.avif",
        "photo.jfif",
    ],
)
def test_kinds_of_file(tmp_path: Path, name: str) -> None:
    if name.endswith("avif") and not PIL.features.check("avif"):
        pytest.skip("this Pillow is built without AVIF")
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
    """Warnings are errors in tests.

    Pillow warns above a limit, which this test lowers to the size of a small picture.
    """
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


def animated(path: Path) -> Path:
    frames = [PIL.Image.fromarray(picture(200, 100, shade)) for shade in (0, 120, 240)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    return path


@pytest.mark.parametrize("name", ["photo.gif", "photo.webp", "photo.png", "photo.tiff"])
def test_first_frame_of_an_animated_one(tmp_path: Path, name: str) -> None:
    image = read_portrait(animated(tmp_path / name))
    assert np.abs(image.astype(int) - picture(200, 100)).mean() < 6


def wide_profile() -> bytes:
    """An ICC profile of a wide colour space with sRGB's tone curve.

    It is sRGB's profile with the primaries of Adobe RGB.
    """
    data = bytearray(PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes())
    adobe = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    for number in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * number
        name, at = bytes(data[entry : entry + 4]), int.from_bytes(data[entry + 4 : entry + 8], "big")
        for index, value in enumerate(adobe.get(name, ())):
            data[at + 8 + 4 * index : at + 12 + 4 * index] = round(value * 65536).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.webp", "photo.tiff", "photo.heic"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_wide_colours_become_srgb(tmp_path: Path, name: str, mode: str) -> None:
    """A green of a wide space is more saturated than the same numbers in sRGB."""
    if mode == "RGBA" and name.endswith("jpg"):
        pytest.skip("JPEG has no transparency")
    plain = PIL.Image.new(mode, (100, 100), (120, 180, 100))
    image = read_portrait(save(tmp_path / name, plain, icc_profile=wide_profile(), quality=95))
    right = PIL.ImageCms.profileToProfile(
        plain.convert("RGB"),
        PIL.ImageCms.ImageCmsProfile(BytesIO(wide_profile())),
        PIL.ImageCms.createProfile("sRGB"),
    )
    assert right is not None
    assert np.abs(image[50, 50].astype(int) - np.asarray(right)[50, 50]).max() <= 4
    assert image[50, 50, 1] - int(image[50, 50, 0]) > 80


@pytest.mark.parametrize("profile", [b"no profile at all", wide_profile()[:200]])
def test_a_damaged_profile_is_ignored(tmp_path: Path, profile: bytes) -> None:
    path = save(tmp_path / "photo.png", picture(200, 100), icc_profile=profile)
    assert np.array_equal(read_portrait(path), picture(200, 100))


def test_a_grey_photo_of_16_bits_as_large_as_allowed(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 11_000)[None].repeat(9_000, 0).astype(np.uint16)
    path = save(tmp_path / "photo.png", grey, compress_level=1)
    image = read_portrait(path)
    assert image.shape == (1676, 2048, 3)
    assert np.abs(image[800, :, 0].astype(int) - np.linspace(0, 255, 2048)).max() <= 2


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg"])
def test_libraries_do_not_speak_in_between(
    tmp_path: Path, compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """libtiff's stderr output about a damaged file would appear beside our own sentence."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    path = save(tmp_path / "photo.tif", noise, compression=compression)
    data = bytearray(path.read_bytes())
    data[3000:3400] = b"\xff" * 400
    path.write_bytes(data)
    with suppress(PortraitError):
        read_portrait(path)
    assert capfd.readouterr().err == ""

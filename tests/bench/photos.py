"""Draw a sheet of difficult photos for docs/gallery.md.

Hats, veils, hands, crowded backgrounds, cropped and tight pictures, dark ones, paintings.

python -m tests.bench.photos DATA CLIP [--model lite] [--output docs/gallery]

DATA holds ``stills/*.jpg`` of invented people (faker-js/assets-person-portrait, CC0). Each photo is shown
beside four moments of a driver, as a call receives them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from avatar_app.errors import AvatarError
from avatar_app.faces.detector import FaceDetector
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.smoothing import STRENGTHS, smooth_track
from avatar_app.motion.transfer import motion_transfer
from avatar_app.outputs.placement import AS_IT_COMES
from avatar_app.session.clip import portrait_crop, silent, track_driver
from avatar_app.session.session import open_model
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Image
from tests.bench.frames import framed
from tests.bench.gallery import save, spread_out

Change = Callable[[Image], Image]

SHOWN, COLUMNS, MOMENTS, SIZE = 128, 3, 4, (360, 360)
"""Side of each picture, photos in a row, moments of each, and the frame."""

AS_THEY_ARE = (
    *("f73", "f14", "f82", "f43", "f39", "m15", "m29", "f66"),
    *("f65", "f58", "f64", "f98", "m95", "m47", "f34", "m69"),
)
"""Fur cap, hood, veils, scarf, baseball cap, keffiyeh; from the side, hands; glasses, old, leaves, wood."""


def cut_at_the_side(photo: Image) -> Image:
    return photo[:, photo.shape[1] // 3 :]


def tight(photo: Image) -> Image:
    edge = photo.shape[0] // 4
    return photo[edge // 2 : -edge, edge:-edge]


def dark(photo: Image) -> Image:
    return np.asarray(photo * np.float32(0.25), np.uint8)


def grey(photo: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def painting(photo: Image) -> Image:
    return np.asarray(cv2.stylization(photo, sigma_s=20, sigma_r=0.4), np.uint8)


def cartoon(photo: Image) -> Image:
    flat = cv2.pyrMeanShiftFiltering(photo, 12, 35)
    edges = cv2.adaptiveThreshold(
        cv2.medianBlur(grey(photo)[..., 0], 5), 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 4
    )
    return np.asarray(np.where(edges[..., None] > 0, flat, flat // 3), np.uint8)


def striped(photo: Image) -> Image:
    """Put the photo into the middle of a larger picture of lines."""
    side = photo.shape[0]
    around = np.full((2 * side, 2 * side, 3), 225, np.uint8)
    around[:, ::16] = (70, 90, 140)
    around[side // 2 : side // 2 + side, side // 2 : side // 2 + side] = photo
    return around


def turned(photo: Image) -> Image:
    """Tilt the photo as if hand-held."""
    side = photo.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 18, 1.15)
    return np.asarray(cv2.warpAffine(photo, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.uint8)


CHANGED: tuple[tuple[str, Change], ...] = (
    ("m10", cut_at_the_side),
    ("f51", tight),
    ("m55", dark),
    ("f26", grey),
    ("f71", painting),
    ("m13", cartoon),
    ("m31", striped),
    ("m06", turned),
)


def photos(folder: Path) -> list[Image]:
    whole: Change = np.asarray
    wanted = [*((name, whole) for name in AS_THEY_ARE), *CHANGED]
    return [change(read_portrait(folder / "stills" / f"fk_{name}.jpg")) for name, change in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"))
    options = parser.parse_args()
    engine, detector = open_model(options.model, "cpu"), FaceDetector.open()
    track = track_driver(engine, detector, read_clip(options.clip), "auto", Stopwatch(), silent)
    smooth = smooth_track(track.poses, [float(moment) for moment in track.times], STRENGTHS["light"])
    poses = [pose for pose in smooth if pose is not None]
    moments = spread_out(poses, MOMENTS + 1)[1:]
    strips = []
    for number, photo in enumerate(photos(options.data)):
        pictures = [photo]
        try:
            avatar = engine.encode(portrait_crop(photo, detector, "auto", engine.size, []))
        except AvatarError as problem:
            sys.stdout.write(f"photo {number}: {problem}\n")
            pictures += [np.zeros_like(photo)] * MOMENTS
        else:
            transfer = motion_transfer(avatar.key_points, poses[0])
            pictures += [
                framed(engine, avatar, transfer(poses[moment]), SIZE, "photo", AS_IT_COMES)
                for moment in moments
            ]
        strips.append(np.hstack([squared(picture) for picture in pictures]))
    rows = [np.hstack(strips[first : first + COLUMNS]) for first in range(0, len(strips), COLUMNS)]
    save(options.output / "photos.jpg", np.vstack(rows))
    return 0


def squared(picture: Image) -> Image:
    """The middle of a picture, `SHOWN` pixels wide and high."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(middle, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    sys.exit(main())

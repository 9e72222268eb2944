"""Draw the strips of docs/gallery.md.

A photo, six moments of a driver and the resulting avatar; and photos at their largest turns.

python -m tests.bench.gallery CLIP [CLIP ...] [--model lite] [--output docs/gallery]

Drivers are drawn as landmarks, so that no picture of a real person is stored. The moments are those in which
the driver's poses differ most, so extremes are shown, not avoided.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from avatar_app.engines import Engine
from avatar_app.faces.detector import FaceDetector
from avatar_app.landmarks import STABLE
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.head import RigidMotion, angles, facing, rotation_of
from avatar_app.motion.smoothing import STRENGTHS, smooth_track
from avatar_app.motion.transfer import in_space, motion_transfer
from avatar_app.paths import shipped_avatars
from avatar_app.session.clip import portrait_crop, silent, track_driver
from avatar_app.session.session import open_model
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Array, Crop, Image, KeyPoints

TURNS = (-45, -30, -15, 15, 30, 45)
"""Degrees by which a driver with the photo's own face turns."""

MOMENTS = 6
SIDE = 192
CURVES = (
    (*range(0, 17),),
    (*range(17, 22),),
    (*range(22, 27),),
    (*range(27, 31),),
    (*range(31, 36),),
    (*range(36, 42), 36),
    (*range(42, 48), 42),
    (*range(48, 60), 48),
    (*range(60, 68), 60),
)


def draw_driver(points: Array, side: int = SIDE) -> Image:
    """Draw landmarks (88, 2) in [-1, 1] as lines."""
    picture = np.full((side * 2, side * 2, 3), 34, np.uint8)
    place = ((points + 1) / 2 * (2 * side - 1)).round().astype(np.int32)
    for curve in CURVES:
        cv2.polylines(picture, [place[list(curve)]], False, (220, 228, 240), 2, cv2.LINE_AA)
    for iris in (68, 73):
        cv2.circle(picture, place[iris].tolist(), 4, (110, 170, 255), -1, cv2.LINE_AA)
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def spread_out(poses: list[KeyPoints], count: int) -> list[int]:
    """Indices of the poses that differ most from one another, in temporal order, with the first pose."""
    table = np.stack([pose.value.ravel() for pose in poses])
    chosen = [0]
    distance = np.linalg.norm(table - table[0], axis=1)
    while len(chosen) < min(count, len(poses)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(table - table[chosen[-1]], axis=1))
    return sorted(chosen)


def turned(engine: Engine, crop: Crop) -> Image:
    """A row of the photo and its avatars at turns of ``TURNS``."""
    avatar = engine.encode(crop)
    photo = in_space(avatar.key_points)
    transfer = motion_transfer(avatar.key_points, avatar.key_points)
    faces = facing(photo)
    yaw, pitch, roll = angles(faces)
    pictures = [crop.image]
    for turn in TURNS:
        rotation = rotation_of(yaw + turn, pitch, roll) @ faces.T
        pose = RigidMotion(1.0, rotation, photo[STABLE].mean(0), np.zeros(3)).apply(photo)
        pictures.append(
            engine.render(
                avatar,
                transfer(KeyPoints(pose[:, :2].astype(np.float32), depth=pose[:, 2].astype(np.float32))),
            )
        )
    return np.hstack(
        [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures]
    )


def save(path: Path, picture: Image) -> None:
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 86])
    sys.stdout.write(f"{path}\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    engine, detector = open_model(options.model, "cpu"), FaceDetector.open()
    for number, path in enumerate(options.clips, 1):
        with_none = track_driver(engine, detector, read_clip(path), "auto", Stopwatch(), silent)
        smooth = smooth_track(
            with_none.poses, [float(moment) for moment in with_none.times], STRENGTHS["light"]
        )
        poses = [pose for pose in smooth if pose is not None]
        moments = spread_out(poses, MOMENTS)
        # Alternate the photos between the drivers: twelve strips of three drivers.
        for photo in sorted(shipped_avatars().glob("*.jpg"))[(number + 1) % 2 :: 2]:
            crop = portrait_crop(read_portrait(photo), detector, "auto", engine.size, [])
            avatar = engine.encode(crop)
            transfer = motion_transfer(avatar.key_points, poses[0])
            above = [draw_driver(poses[index].value) for index in moments]
            below = [engine.render(avatar, transfer(poses[index])) for index in moments]
            own = cv2.resize(crop.image, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
            rows = [
                np.hstack(above),
                np.hstack([cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for x in below]),
            ]
            save(options.output / f"driver-{number}-{photo.stem}.jpg", np.hstack([own, np.vstack(rows)]))
    crops = [
        portrait_crop(read_portrait(photo), detector, "auto", engine.size, [])
        for photo in sorted(shipped_avatars().glob("*.jpg"))
    ]
    save(options.output / "turns.jpg", np.vstack([turned(engine, crop) for crop in crops]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

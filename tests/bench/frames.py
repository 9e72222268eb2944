"""Draw sheets of people in frames for docs/gallery.md.

The app's own photos before several backgrounds, moved as far as a driver moves.

python -m tests.bench.frames CLIP [--model lite] [--output docs/gallery]

No square, bar, edge or seam may be visible.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from avatar_app.engines import Engine, render_layer
from avatar_app.faces.detector import FaceDetector
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.smoothing import STRENGTHS, smooth_track
from avatar_app.motion.transfer import motion_transfer
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.placement import AS_IT_COMES, moving_area
from avatar_app.paths import shipped_avatars
from avatar_app.session.clip import portrait_crop, silent, track_driver
from avatar_app.session.session import open_model
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Avatar, Framing, Image, KeyPoints
from tests.bench.gallery import save, spread_out

HEIGHT = 200
LOOKS: tuple[tuple[tuple[int, int], str, Framing], ...] = (
    ((1280, 720), "photo", AS_IT_COMES),
    ((1280, 720), "photo", AS_IT_COMES),
    ((640, 480), "blur", AS_IT_COMES),
    ((1280, 720), "#00b140", Framing(0.75, 0.18, 0.0)),
    ((720, 1280), "photo", AS_IT_COMES),
)
"""Size, background and framing of each column; the first shows the photo's own pose."""


def framed(
    engine: Engine, avatar: Avatar, pose: KeyPoints, size: tuple[int, int], background: str, framing: Framing
) -> Image:
    layer = render_layer(engine, avatar, pose, partial(moving_area, size=size, framing=framing))
    frame = Canvas(size, background, framing=framing).compose(layer.on(avatar.scene, 0.0)).rgb()
    small = (round(HEIGHT * size[0] / size[1]), HEIGHT)
    return np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    engine, detector = open_model(options.model, "cpu"), FaceDetector.open()
    track = track_driver(engine, detector, read_clip(options.clip), "auto", Stopwatch(), silent)
    smooth = smooth_track(track.poses, [float(moment) for moment in track.times], STRENGTHS["light"])
    poses = [pose for pose in smooth if pose is not None]
    moments = spread_out(poses, len(LOOKS))
    rows = []
    for photo in sorted(shipped_avatars().glob("*.jpg")):
        avatar = engine.encode(portrait_crop(read_portrait(photo), detector, "auto", engine.size, []))
        transfer = motion_transfer(avatar.key_points, poses[0])
        driven = [avatar.key_points, *(transfer(poses[moment]) for moment in moments[1:])]
        looks = zip(driven, LOOKS, strict=True)
        rows.append(np.hstack([framed(engine, avatar, pose, *look) for pose, look in looks]))
    save(options.output / "frames.jpg", np.vstack(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Collect what the networks mistake for faces, to train on it.

python -m avatar_app.training.faces.mine CONFIG RUN --data DIR --cache DIR --backgrounds DIR --output DIR
[--pictures N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from avatar_app.errors import AvatarError
from avatar_app.faces.crop import Region, cut, region_of, to_picture
from avatar_app.networks.faces import FINDER_SIDE, FINDER_STRIDE, LANDMARK_SIDE, FaceFinder, LandmarkNet
from avatar_app.training.faces import augment
from avatar_app.training.faces.augment import Picture
from avatar_app.training.faces.config import read_config
from avatar_app.training.faces.data import open_faces
from avatar_app.training.faces.export import load_average
from avatar_app.training.faces.loop import as_input
from avatar_app.training.faces.samples import Sampler, painted_out, read_backgrounds

ROOM = 1.5
"""Margin kept around a false detection, so that it can be moved and turned in training."""
KEPT_SIDE = 240


def pictures(sampler: Sampler, count: int) -> Iterator[Picture]:
    """Yield pictures (384, 384, 3) without a face.

    Pieces of backgrounds, and frames with the face painted out.
    """
    random = sampler.random
    for _ in range(count):
        if augment.chance(random, 0.6):
            picture = augment.texture(sampler.backgrounds, random, 384)
        else:
            frame, points = sampler.draw()
            picture = np.asarray(
                cv2.resize(painted_out(frame, points, random, whole=True), (384, 384)), np.uint8
            )
        picture = np.rot90(picture, int(random.integers(4)))
        yield augment.recoloured(np.ascontiguousarray(picture), random)


class Searcher:
    """Both networks in PyTorch, as far as mining needs them."""

    def __init__(self, run: Path) -> None:
        self.finder, self.landmarks = FaceFinder(), LandmarkNet()
        load_average(self.finder, run / "finder.pt")
        load_average(self.landmarks, run / "landmarks.pt")

    @torch.inference_mode()
    def regions(self, picture: Picture, least: float) -> list[Region]:
        """Return the finder's detections in the whole picture."""
        small = cv2.resize(picture, (FINDER_SIDE, FINDER_SIDE), interpolation=cv2.INTER_AREA)
        found = self.finder(as_input(torch.from_numpy(np.asarray(small))[None]))[0].numpy()
        scale = picture.shape[0] / FINDER_SIDE
        score = 1 / (1 + np.exp(-found[0]))
        peak = (score >= cv2.dilate(score, np.ones((3, 3), np.uint8))) & (score > least)
        out = []
        for row, column in zip(*np.nonzero(peak), strict=True):
            _, x, y, size, cosine, sine = found[:, row, column]
            side = 1.4 * FINDER_STRIDE * 2.0 ** float(np.clip(size, -1, 6)) * scale
            place = (
                (column + 0.5 + x) * FINDER_STRIDE * scale - 0.5,
                (row + 0.5 + y) * FINDER_STRIDE * scale - 0.5,
            )
            out.append(Region(float(place[0]), float(place[1]), side, float(np.arctan2(sine, cosine))))
        return out

    @torch.inference_mode()
    def settled(self, picture: Picture, region: Region) -> tuple[Region, float]:
        """Refine a region by two passes of the landmark network; return its score too."""
        score = 0.0
        for _ in range(3):
            crop = cut(picture, region, LANDMARK_SIDE)
            out = self.landmarks(as_input(torch.from_numpy(crop)[None]))
            score = float(torch.sigmoid(out.presence)[0])
            moved = region_of(to_picture(out.points[0].numpy(), region))
            if not 8 < moved.side < 2000:
                break
            last, region = region, moved
        return last, score


def mine(searcher: Searcher, sampler: Sampler, count: int, output: Path) -> int:
    """Write a picture of each false detection; return their number."""
    output.mkdir(parents=True, exist_ok=True)
    kept = len(list(output.glob("*.jpg")))
    start = kept
    for picture in pictures(sampler, count):
        for region in searcher.regions(picture, 0.15)[:4]:
            place, score = searcher.settled(picture, region)
            if score > 0.15:
                around = Region(place.x, place.y, place.side * ROOM, place.roll)
                cv2.imwrite(
                    str(output / f"{kept:05d}.jpg"),
                    cut(picture, around, KEPT_SIDE)[..., ::-1],
                    [cv2.IMWRITE_JPEG_QUALITY, 93],
                )
                kept += 1
    return kept - start


def main(words: list[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.faces.mine", description="Collect false detections of faces."
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path, help="folder with landmarks.pt and finder.pt")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder for the false detections, the --mistakes of the next training",
    )
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=100)
    arguments = parser.parse_args(words)
    cv2.setNumThreads(1)
    try:
        config = read_config(arguments.config)
        faces = open_faces(arguments.data, arguments.cache, "train", config.stride, config.skip_licences)
        sampler = Sampler(faces, read_backgrounds(arguments.backgrounds), arguments.seed)
        print(mine(Searcher(arguments.run), sampler, arguments.pictures, arguments.output), "mistakes")
    except AvatarError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

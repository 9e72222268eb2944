"""Tiny training data: a feature network, and clips with landmarks."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from avatar_app.media.clip_writer import ClipWriter
from tests.support.heads import make_head


def write_features(path: Path, distilled: bool = False) -> Path:
    """A feature network four channels wide, in the layout of torchvision or of the distilled one."""
    random = torch.Generator().manual_seed(0)
    names = [f"features.{index}" for index in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)]
    state: dict[str, Tensor] = {}
    if distilled:
        blocks = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))
        names = [f"conv{block}{index}" for block, count in blocks for index in range(1, count + 1)]
        state |= {"conv0.weight": torch.eye(3)[..., None, None], "conv0.bias": torch.zeros(3)}
    for name in names:
        inputs = 3 if name == names[0] else 4
        weight = torch.randn((4, inputs, 3, 3), generator=random) * (2 / (9 * inputs)) ** 0.5
        state |= {f"{name}.weight": weight, f"{name}.bias": torch.zeros(4)}
    torch.save({"model": state} if distilled else state, path)
    return path


def write_labelled_clips(folder: Path, side: int, count: int = 2, frames: int = 4) -> Path:
    """A data set of clips with landmarks, one identity each, all of them for training."""
    for name in ("video", "labels"):
        (folder / name).mkdir(parents=True)
    rows = []
    for clip in range(count):
        points = [make_head(mouth=0.05 * step)[:, :2] * 0.25 + 0.5 for step in range(frames)]
        with ClipWriter(folder / "video" / f"c{clip}.mp4", Fraction(25), (side, side)) as writer:
            for step in range(frames):
                writer.write(_drawn(points[step] * side, clip, side), Fraction(step, 25))
        stored = np.round((np.stack(points) + 0.25) / 1.5 * 65535).astype(np.uint16)
        np.savez(folder / "labels" / f"c{clip}.npz", points=stored, ok=np.ones(frames, bool))
        facts = {"stem": f"c{clip}", "type": "video", "split": "train", "identity": str(clip)}
        rows.append({**facts, "kind": "real", "fill_rect": ""})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer_of_rows = csv.DictWriter(file, list(rows[0]))
        writer_of_rows.writeheader()
        writer_of_rows.writerows(rows)
    return folder


def _drawn(points: np.ndarray, clip: int, side: int) -> np.ndarray:
    picture = np.full((side, side, 3), 60 + 40 * clip, np.uint8)
    for x, y in points:
        cv2.circle(picture, (int(x), int(y)), 2, (200, 160, 80 * clip), -1)
    return picture


def write_moving_discs(folder: Path, side: int, frames: int, **splits: int) -> Path:
    """A data set of folders of frames without labels: a disc that moves, a colour for each clip.

    ``splits``: the number of clips in each, such as ``train=2``.
    """
    for split, count in splits.items():
        for clip in range(count):
            path = folder / split / f"id{clip}#clip"
            path.mkdir(parents=True)
            for frame in range(frames):
                picture = np.full((side, side, 3), 40 + 40 * clip, np.uint8)
                cv2.circle(picture, (16 + 5 * frame, 40 - 2 * frame), 12, (40, 200, 90 + 80 * clip), -1)
                cv2.imwrite(str(path / f"{frame}.png"), picture)
    return folder

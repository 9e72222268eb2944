"""Decode the labelled faces once, keep them as uint8, and sample them evenly."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.errors import ConfigError
from avatar_app.landmarks import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from avatar_app.text import Text

SIDE = 320
BLINK_LEFT, BLINK_RIGHT, JAW_OPEN = 9, 10, 25  # not landmarks
GROUP_SHARE = {
    "video-real": 0.38,
    "video-ai": 0.22,
    "video-render": 0.10,
    "still-real": 0.18,
    "still-ai": 0.12,
}
"""Share of samples from each kind of source; renders of one 3-D head model follow one camera path, so they
get least.
"""


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Frames with landmarks.

    Attributes:
        frames: (N, 320, 320, 3) uint8 RGB, a memory map.
        points: (N, 88, 3) float32, pixels of the frame (centre of the first pixel is 0), z in pixels.
        identity: (N,) index of the person.
        probability: (N,) of drawing each frame; sums to 1.
        flip: (88,) the counterpart of each point in a mirrored picture.
    """

    frames: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    identity: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    flip: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Row:
    stem: str
    kind: str
    identity: str
    licence: str
    picked: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    points: npt.NDArray[np.float32]


def read_points(
    labels: Path,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Read landmarks, usable frames and blend shapes of one label file.

    (T, 88, 3) in pixels of a 320-pixel frame, (T,) and (T, 52).
    """
    with np.load(labels) as arrays:
        position = arrays["points"].astype(np.float32) / 65535 * 1.5 - 0.25
        depth = arrays["z"].astype(np.float32)[..., None] * SIDE
        blend = arrays["blendshapes"].astype(np.float32) / 255
        usable = arrays["ok"].astype(bool)
    return np.concatenate([position * SIDE - 0.5, depth], -1), usable, blend


def _pick(row: dict[str, str], labels: Path, stride: int) -> _Row:
    points, usable, blend = read_points(labels)
    blink = blend[:, [BLINK_LEFT, BLINK_RIGHT]].mean(1) > 0.35
    jaw = blend[:, JAW_OPEN] > 0.22
    eyes = points[:, LEFT_EYE_OUTER] - points[:, RIGHT_EYE_OUTER]
    turned = np.abs(eyes[:, 2]) > 0.26 * np.abs(eyes[:, 0])
    index = np.arange(len(points))
    keep = usable & ((index % stride == 0) | ((blink | jaw | turned) & (index % 2 == 0)))
    picked = index[keep]
    weight = (1 + 2.0 * blink + 1.5 * jaw + 1.0 * turned)[keep]
    kind = f"{row['type']}-{row['kind']}"
    if row["stem"].startswith("cap4d"):
        kind = "video-render"
    return _Row(row["stem"], kind, row["identity"], row["licence"], picked, weight, points[keep])


def read_rows(data: Path, split: str, stride: int, skip_licences: tuple[str, ...]) -> list[_Row]:
    """List the frames to take from each clip and still of one split.

    Raises:
        ConfigError: no data set in this folder.
    """
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        raise ConfigError(
            Text("No manifest.csv in {}.", data), Text("Give the folder of the labelled faces with --data.")
        )
    with manifest.open(newline="") as lines:
        table = [row for row in csv.DictReader(lines) if row["split"] == split]
    table = [row for row in table if not any(word in row["licence"] for word in skip_licences)]
    rows = [_pick(row, data / "labels" / f"{row['stem']}.npz", stride) for row in table]
    return [row for row in rows if len(row.picked)]


def decode(data: Path, stem: str) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield every frame of a clip, or the one picture of a still, RGB."""
    still = data / "stills" / f"{stem}.jpg"
    if still.is_file():
        yield _rgb(cv2.imread(str(still)))
        return
    clip = cv2.VideoCapture(str(data / "video" / f"{stem}.mp4"))
    try:
        while True:
            more, frame = clip.read()
            if not more:
                return
            yield _rgb(frame)
    finally:
        clip.release()


def _rgb(frame: Any) -> npt.NDArray[np.uint8]:
    if frame is None:
        raise ConfigError(Text("A still of the data set cannot be read."), Text("Fetch the data set again."))
    return np.ascontiguousarray(frame[..., ::-1], np.uint8)


def balanced(
    kinds: list[str], identities: list[str], weights: list[npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Return the probability of each frame.

    Kinds by their share, people of a kind equally, a person's frames by weight.
    """
    people: dict[str, set[str]] = {}
    total: dict[tuple[str, str], float] = {}
    for kind, person, weight in zip(kinds, identities, weights, strict=True):
        people.setdefault(kind, set()).add(person)
        total[kind, person] = total.get((kind, person), 0.0) + float(weight.sum())
    parts = [
        weight / total[kind, person] * GROUP_SHARE.get(kind, 0.1) / len(people[kind])
        for kind, person, weight in zip(kinds, identities, weights, strict=True)
    ]
    joined = np.concatenate(parts)
    return np.asarray(joined / joined.sum(), np.float64)


def build_cache(data: Path, cache: Path, split: str, stride: int, skip_licences: tuple[str, ...]) -> None:
    """Decode the chosen frames of one split into ``cache``.

    ``frames.npy`` and ``faces.npz``.
    """
    rows = read_rows(data, split, stride, skip_licences)
    total = sum(len(row.picked) for row in rows)
    cache.mkdir(parents=True, exist_ok=True)
    frames = np.lib.format.open_memmap(
        cache / "frames.part.npy", mode="w+", dtype=np.uint8, shape=(total, SIDE, SIDE, 3)
    )
    place = 0
    for row in rows:
        wanted = set(row.picked.tolist())
        for index, frame in enumerate(decode(data, row.stem)):
            if index in wanted:
                frames[place] = frame
                place += 1
        if place > total:
            break
    if place != total:
        raise ConfigError(
            Text("{} labelled frames, but {} could be decoded.", total, place),
            Text("Fetch the data set again."),
        )
    frames.flush()
    names = sorted({row.identity for row in rows})
    flip = json.loads((data / "points.json").read_text())["flip"]
    np.savez(
        cache / "faces.npz",
        points=np.concatenate([row.points for row in rows]),
        identity=np.concatenate([np.full(len(row.picked), names.index(row.identity)) for row in rows]),
        probability=balanced(
            [row.kind for row in rows], [row.identity for row in rows], [row.weight for row in rows]
        ),
        flip=np.array(flip),
    )
    (cache / "frames.part.npy").rename(cache / "frames.npy")


def open_faces(
    data: Path, cache: Path, split: str = "train", stride: int = 6, skip_licences: tuple[str, ...] = ()
) -> FaceSet:
    """Open the faces of one split.

    The first call decodes them (some gigabytes); later ones map them from disk.
    """
    if not (cache / "frames.npy").is_file():
        build_cache(data, cache, split, stride, skip_licences)
    with np.load(cache / "faces.npz") as arrays:
        return FaceSet(
            frames=np.load(cache / "frames.npy", mmap_mode="r"),
            points=arrays["points"].astype(np.float32),
            identity=arrays["identity"].astype(np.int64),
            probability=arrays["probability"].astype(np.float64),
            flip=arrays["flip"].astype(np.int64),
        )

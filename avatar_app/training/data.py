"""Training clips, decoded once and held in memory as uint8.

Two folder layouts are read: a data set with dense face labels (``manifest.csv``, ``video/``, ``stills/``,
``labels/``), and the original one (``train/`` and ``test/`` with video files, folders of frames, or strips:
square frames side by side in one picture; names start with the identity). docs/datasets.md shows the
published data sets in it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avatar_app.errors import ClipError, ConfigError
from avatar_app.files import natural
from avatar_app.networks.anchored.config import LANDMARKS
from avatar_app.text import Text
from avatar_app.training.config import DataConfig

VIDEO_SUFFIXES = {".mp4", ".gif", ".mov", ".avi", ".mkv", ".webm"}
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg"}

WIDE = 0.13
"""Gap of the lips from which a mouth is wide open, in heights of the face (root of the nose to chin)."""


@dataclass(frozen=True, slots=True)
class ClipEntry:
    """One clip (or still) on disk.

    Attributes:
        path: a video file, an image or a folder of images.
        identity: the person; sampling is by identity first.
        kind: ``real`` or ``ai`` (or empty); batches are balanced over kinds.
        labels: an .npz with ``points`` and ``ok``, or None.
        hidden: x0, y0, x1, y1 as fractions of the picture that losses must ignore, or None.
        still: whether it is a single picture.
    """

    path: Path
    identity: str
    kind: str = ""
    labels: Path | None = None
    hidden: tuple[float, float, float, float] | None = None
    still: bool = False


def list_clips(folder: Path, split: str) -> list[ClipEntry]:
    """List the clips of one split (``train`` or ``val``/``test``) of either layout.

    Raises ConfigError if there are none.
    """
    table = folder / "manifest.csv"
    try:
        clips = list(_labelled(folder, split)) if table.exists() else list(_original(folder, split))
    except (KeyError, ValueError, csv.Error) as problem:
        message = Text("The table {} cannot be used: {}: {}.", table, type(problem).__name__, problem)
        raise ConfigError(
            message,
            Text("It must be a CSV file with the columns stem, type, split, identity, kind and fill_rect."),
        ) from None
    if not clips:
        raise ConfigError(
            Text("No {} clips in {}.", split, folder),
            Text("Give a folder with manifest.csv, or with train/ and test/ inside."),
        )
    return clips


def _labelled(folder: Path, split: str) -> Iterator[ClipEntry]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] != split:
                continue
            stem = row["stem"]
            path = (
                folder / "video" / f"{stem}.mp4"
                if row["type"] == "video"
                else folder / "stills" / f"{stem}.jpg"
            )
            box = [float(value) for value in row["fill_rect"].split()]
            hidden = (box[0], box[1], box[2], box[3]) if len(box) == 4 else None
            labels = folder / "labels" / f"{stem}.npz"
            yield ClipEntry(path, row["identity"], row["kind"], labels, hidden, row["type"] != "video")


def _original(folder: Path, split: str) -> Iterator[ClipEntry]:
    names = {"val": ("test", "val"), "test": ("test", "val")}.get(split, (split,))
    for name in names:
        for path in sorted((folder / name).glob("*")):
            if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                yield ClipEntry(path, path.stem.split("#")[0])


def read_frames(path: Path, size: int, stride: int = 1) -> npt.NDArray[np.uint8]:
    """Read every ``stride``-th frame as (T, size, size, 3) RGB.

    Raises ClipError if nothing can be read.
    """
    frames = [_fit(image, size) for index, image in enumerate(_images(path)) if index % stride == 0]
    if not frames:
        raise ClipError(
            Text("No frame can be read from {}.", path),
            Text("Remove the file from the data set, or copy it again."),
        )
    return np.stack(frames)


def _images(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        files = [path]
        if path.is_dir():
            files = sorted(
                (p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES),
                key=lambda file: natural(file.stem),
            )
        for file in files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is not None:
                picture = image.astype(np.uint8)
                yield from [picture] if path.is_dir() else _unrolled(picture)
        return
    capture = cv2.VideoCapture(str(path))
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        yield frame.astype(np.uint8)
    capture.release()


def _unrolled(image: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Split a strip of square pictures into frames; any other picture is one frame."""
    height, width = image.shape[:2]
    count = width // height if width % height == 0 else 1
    return np.split(image, max(1, count), axis=1)


def _fit(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    shrinking = size < min(image.shape[:2])
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).astype(np.uint8)


@dataclass(slots=True)
class FrameStore:
    """All frames of a split.

    Attributes:
        frames: (N, S, S, 3) uint8, on any device.
        points: (N, 88, 2) in [-1, 1] (``align_corners=True`` of the stored picture), or None.
        clips: for each clip the indices of its usable frames.
        identities, kinds: of each clip.
        hidden: (clips, 4) rectangles to ignore, zeros if none.
    """

    frames: Tensor
    points: Tensor | None
    clips: list[npt.NDArray[np.int64]]
    identities: list[str]
    kinds: list[str]
    hidden: Tensor

    def to(self, device: torch.device) -> FrameStore:
        points = None if self.points is None else self.points.to(device)
        return FrameStore(
            self.frames.to(device), points, self.clips, self.identities, self.kinds, self.hidden.to(device)
        )


UNREADABLE = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile)
"""Exceptions of `read_arrays` for a missing, damaged or foreign file."""


def read_arrays(path: Path, *names: str) -> list[npt.NDArray[Any]]:
    """Return the named arrays of an .npz file, and close it even if it is damaged."""
    with path.open("rb") as file, np.load(file) as found:
        return [found[name] for name in names]


def read_labels(entry: ClipEntry) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return landmarks (T, 88, 2), and which frames are usable (T,).

    Landmarks are fractions of the picture's side. Raises ConfigError.
    """
    if entry.labels is None:
        raise ConfigError(Text("{} has no landmarks.", entry.path), Text("Use a data set with labels."))
    try:
        points, good = read_arrays(entry.labels, "points", "ok")
    except UNREADABLE as problem:
        message = Text("The labels {} cannot be read: {}.", entry.labels, problem)
        raise ConfigError(
            message, Text("Copy the file of the data set again, or take its clip out of the table.")
        ) from None
    return np.asarray(points.astype(np.float32) / 65535 * 1.5 - 0.25, np.float32), good


def to_grid(fractions: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Convert label coordinates to [-1, 1] between the outer pixels' centres.

    In labels, 0 is the left edge of the picture and 1 the right one.
    """
    return ((fractions * size - 0.5) * (2 / (size - 1)) - 1).astype(np.float32)


def load_store(
    folder: Path, split: str, size: int, stride: int, cache: Path | None = None, stills: bool = True
) -> FrameStore:
    """Decode a split, or map it from ``cache`` if it was decoded before.

    Frames that the labels mark as not ok are left out, and clips with no usable frame with them.
    """
    entries = [entry for entry in list_clips(folder, split) if stills or not entry.still]
    key = hashlib.sha256(
        json.dumps([str(folder.resolve()), [str(e.path) for e in entries], size, stride]).encode()
    ).hexdigest()[:16]
    stem = None if cache is None else cache / f"{split}-{size}-{key}"
    if stem is None or not stem.with_suffix(".json").exists():
        frames, points, counts = _decode(entries, size, stride, stem)
    else:
        frames = np.load(stem.with_suffix(".npy"), mmap_mode="r")
        points = np.load(stem.with_suffix(".points.npy"))
        counts = json.loads(stem.with_suffix(".json").read_text())
    return _store(entries, frames, points, counts)


def _decode(
    entries: list[ClipEntry], size: int, stride: int, stem: Path | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], list[int]]:
    all_frames, all_points, counts = [], [], []
    for entry in entries:
        frames = read_frames(entry.path, size, stride)
        points = np.full((len(frames), LANDMARKS, 2), np.nan, np.float32)
        if entry.labels is not None:
            labels, good = read_labels(entry)
            found = to_grid(labels[::stride], size)
            found[~good[::stride]] = np.nan
            n = min(len(found), len(frames))
            points[:n] = found[:n]
        all_frames.append(frames)
        all_points.append(points)
        counts.append(len(frames))
    frames, points = np.concatenate(all_frames), np.concatenate(all_points)
    if stem is not None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        np.save(stem.with_suffix(".npy"), frames)
        np.save(stem.with_suffix(".points.npy"), points)
        stem.with_suffix(".json").write_text(json.dumps(counts))
    return frames, points, counts


def _store(
    entries: list[ClipEntry],
    frames: npt.NDArray[np.uint8],
    points: npt.NDArray[np.float32],
    counts: list[int],
) -> FrameStore:
    labelled = any(entry.labels is not None for entry in entries)
    clips, identities, kinds, hidden = [], [], [], []
    start = 0
    for entry, count in zip(entries, counts, strict=True):
        indices = np.arange(start, start + count)
        start += count
        if labelled:
            indices = indices[~np.isnan(points[indices]).any(axis=(1, 2))]
        if len(indices):
            clips.append(indices)
            identities.append(entry.identity)
            kinds.append(entry.kind)
            hidden.append(entry.hidden or (0.0, 0.0, 0.0, 0.0))
    # A read-only memory map is fine: frames are only read.
    tensor = torch.from_numpy(frames if frames.flags.writeable else np.array(frames))
    return FrameStore(
        tensor, torch.from_numpy(points) if labelled else None, clips, identities, kinds, torch.tensor(hidden)
    )


class PairSampler:
    """Draws (source, driving) pairs: a kind, an identity, a clip, then two frames.

    Half of the time the driving frame is the candidate with the most different expression, because lips and
    lids differ little between two random frames. Wide open mouths can be given a share of their own.
    """

    def __init__(self, store: FrameStore, seed: int, config: DataConfig) -> None:
        self.store, self.config = store, config
        self.random = np.random.default_rng(seed)
        kinds = sorted(set(store.kinds))
        weights = np.array([config.kind_weights.get(kind, 1.0) for kind in kinds])
        self.kinds, self.kind_share = kinds, weights / weights.sum()
        self.by_kind: dict[str, dict[str, list[int]]] = {kind: {} for kind in kinds}
        for clip, (identity, kind) in enumerate(zip(store.identities, store.kinds, strict=True)):
            self.by_kind[kind].setdefault(identity if config.by_identity else str(clip), []).append(clip)
        # A person with minutes of video deserves more draws than one with a single still.
        self.people = {kind: list(people) for kind, people in self.by_kind.items()}
        self.person_share = {}
        for kind, people in self.by_kind.items():
            sizes = np.array([sum(len(store.clips[c]) for c in people[name]) for name in self.people[kind]])
            share = np.minimum(sizes, 60) ** 0.5 if config.by_identity else np.ones(len(sizes))
            self.person_share[kind] = share / share.sum()
        table = None if store.points is None else _openings(store.points.cpu().numpy())
        self.openings = None if table is None else table / np.maximum(np.nanstd(table, axis=0), 1e-6)
        self.wide = self._wide_mouths(table[:, 0]) if table is not None and config.wide else {}

    def _wide_mouths(self, lips: npt.NDArray[np.float32]) -> dict[str, dict[str, list[tuple[int, int]]]]:
        """Return (clip, frame) of each wide open mouth by kind and person."""
        wide: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for kind, people in self.by_kind.items():
            for person, clips in people.items():
                found = [
                    (clip, int(frame))
                    for clip in clips
                    for frame in self.store.clips[clip]
                    if lips[frame] > WIDE
                ]
                if found:
                    wide.setdefault(kind, {})[person] = found
        return wide

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return indices (batch,) of source frames, driving frames, and their clips."""
        pairs = [self._draw_one() for _ in range(batch)]
        if self.config.in_order:
            pairs = [(min(source, driving), max(source, driving), clip) for source, driving, clip in pairs]
        source, driving, clip = (torch.tensor(values) for values in zip(*pairs, strict=True))
        return source, driving, clip

    def _draw_wide(self) -> tuple[int, int, int]:
        kind = str(self.random.choice(list(self.wide)))
        person = str(self.random.choice(list(self.wide[kind])))
        frames = self.wide[kind][person]
        clip, driving = frames[self.random.integers(len(frames))]
        # A still has no other frame, but the person may have another still.
        others = [clip] if len(self.store.clips[clip]) > 1 else self.by_kind[kind][person]
        return (
            int(self.random.choice(self.store.clips[others[self.random.integers(len(others))]])),
            driving,
            clip,
        )

    def _draw_one(self) -> tuple[int, int, int]:
        if self.wide and self.random.random() < self.config.wide:
            return self._draw_wide()
        kind = str(self.random.choice(self.kinds, p=self.kind_share))
        person = str(self.random.choice(self.people[kind], p=self.person_share[kind]))
        clips = self.by_kind[kind][person]
        clip = int(clips[self.random.integers(len(clips))])
        indices = self.store.clips[clip]
        if len(indices) == 1:
            # Two stills of one person (neutral and smiling) make a pair; a lone still is paired with itself.
            other = int(clips[self.random.integers(len(clips))])
            return int(indices[0]), int(self.random.choice(self.store.clips[other])), clip
        source = int(self.random.choice(indices))
        others = self.random.choice(indices, self.config.candidates)
        if self.openings is None or self.random.random() < 0.5:
            return source, int(others[0]), clip
        distance = np.abs(self.openings[others] - self.openings[source]).sum(1)
        return source, int(others[distance.argmax()]), clip

    def state(self) -> dict[str, object]:
        return dict(self.random.bit_generator.state)

    def load_state(self, state: dict[str, object]) -> None:
        self.random.bit_generator.state = state


def _openings(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (N, 4) lip and lid openings, mouth width, brow height in face heights.

    A cheap signature of the expression.
    """

    def gap(a: int, b: int) -> npt.NDArray[np.float32]:
        return np.asarray(np.linalg.norm(points[:, a] - points[:, b], axis=-1), np.float32)

    height = gap(27, 8) + 1e-6
    lips, lids, smile = gap(62, 66), gap(37, 41) + gap(44, 46), gap(48, 54)
    brows = gap(19, 37) + gap(24, 44)
    return np.asarray(np.stack([lips, lids, smile, brows], 1) / height[:, None], np.float32)

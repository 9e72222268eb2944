"""Determine the neutral pose and remember it for each avatar.

It is the median of several good frames.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.files import keep_damaged, parse_json, read_small, write_whole
from avatar_app.types import NO_POINTS, KeyPoints, combine_key_points, key_points, shape_of_part

FRAMES = 12
"""Frames for the median: 0.4 s of a usual camera."""

PATIENCE = 4.0
"""Seconds after which a calibration uses the good frames it has."""

LEAST = 3

LARGEST = 10.0
"""Largest absolute value in a remembered pose, in half sides of the crop."""


class Calibration:
    """Collects the frames of one calibration."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._poses: list[KeyPoints] = []

    @property
    def share(self) -> float:
        """Return the progress, 0..1."""
        return len(self._poses) / FRAMES

    def add(self, pose: KeyPoints, now: float) -> KeyPoints | None:
        """Add one good frame's key points; return the neutral pose once there are enough."""
        self._poses.append(pose)
        late = now - self._began > PATIENCE and len(self._poses) >= LEAST
        return median_pose(self._poses) if len(self._poses) >= FRAMES or late else None


def median_pose(poses: Sequence[KeyPoints]) -> KeyPoints:
    """Return the median over the half of the poses nearest to the median of all.

    This leaves out blinks and jerks.
    """
    places = [pose.value if pose.code is None else pose.code for pose in poses]
    middle = np.median(places, axis=0)
    distance = [float(np.square(place - middle).sum()) for place in places]
    kept = [poses[index] for index in np.argsort(distance)[: max(1, (len(poses) + 1) // 2)]]
    return combine_key_points(lambda *parts: np.median(parts, axis=0), *kept)


class NeutralStore:
    """Neutral poses by avatar and model, in a JSON file of the user.

    Unreadable entries count as missing.

    Args:
        path: None keeps poses only until the app ends.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._poses = {} if path is None else _read(path)

    def get(self, key: str) -> KeyPoints | None:
        with self._lock:
            return self._poses.get(key)

    def put(self, key: str, pose: KeyPoints | None) -> None:
        """Remember a pose, or forget it (None).

        Raises OSError if it cannot be written; it is still known until the app ends.
        """
        with self._lock:
            # Another instance may have added some since this one started.
            others = {} if self._path is None else _read(self._path)
            self._poses = {name: known for name, known in (others | self._poses).items() if name != key}
            if pose is not None:
                self._poses[key] = pose
            if self._path is not None:
                _write(self._path, self._poses)


def _read(path: Path) -> dict[str, KeyPoints]:
    try:
        entries = _entries(read_small(path))
    except (OSError, ValueError):
        return {}
    poses = {}
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        with (
            suppress(ValueError, TypeError, KeyError, OverflowError, AttributeError),
            np.errstate(over="ignore"),
        ):
            poses[key] = _decoded(entry)
    return poses


def _entries(data: bytes) -> Any:
    """Parse the JSON in a file, as much as is complete; raise ValueError."""
    try:
        return parse_json(data)
    except ValueError:
        return parse_json(data[: data.rfind(b'}, "') + 1] + b"}")


def _decoded(entry: dict[str, list[float] | None]) -> KeyPoints:
    """Decode a pose; raise ValueError and the like if it cannot be one.

    Values out of range are refused too: they would distort the avatar.
    """
    parts = {name: np.array(part, np.float32) for name, part in entry.items() if part is not None}
    if not parts["value"].size:
        parts["value"] = NO_POINTS
    pose, count = key_points(parts), len(parts["value"])
    for name, part in pose.parts.items():
        # A code has no unit: its numbers may be of any size.
        sound = np.isfinite(part).all() and (name == "code" or np.abs(part).max(initial=0) < LARGEST)
        if not sound or part.shape != shape_of_part(name, count, part.size):
            raise ValueError("not a pose")
    return pose


def _write(path: Path, poses: dict[str, KeyPoints]) -> None:
    entries = {
        key: {name: np.round(part.astype(float), 5).tolist() for name, part in pose.parts.items()}
        for key, pose in poses.items()
    }
    keep_damaged(path)
    write_whole(path, json.dumps(entries).encode())

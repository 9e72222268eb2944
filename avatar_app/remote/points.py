"""Convert key points to bytes and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from avatar_app.remote.messages import MalformedMessage
from avatar_app.types import KeyPoints, key_points, shape_of_part

MOST_POINTS, FARTHEST = 512, 10.0
"""Limits of the number of key points in a pose, and of a coordinate."""

LARGEST_CODE = 1e6
"""Largest number of a code, which has no unit."""


def packed_points(points: KeyPoints) -> dict[str, bytes]:
    """Pack the arrays of key points as float32, little endian, by name."""
    arrays = {item.name: getattr(points, item.name) for item in fields(KeyPoints)}
    return {
        name: np.ascontiguousarray(array, "<f4").tobytes()
        for name, array in arrays.items()
        if array is not None
    }


def unpacked_points(data: Mapping[str, bytes]) -> KeyPoints:
    """Invert ``packed_points``.

    Raises MalformedMessage if it cannot be a pose.
    """
    known = {item.name for item in fields(KeyPoints)}
    limits = {"code": LARGEST_CODE}
    arrays = {
        name: unpacked_floats(part, limits.get(name, FARTHEST))
        for name, part in data.items()
        if name in known
    }
    count, code = len(arrays.get("value", ())) // 2, len(arrays.get("code", ()))
    if not 0 < count + code <= MOST_POINTS:
        raise MalformedMessage("not a list of key points")
    shaped = {}
    for name, array in arrays.items():
        shape = shape_of_part(name, count, len(array))
        if len(array) != math.prod(shape):
            raise MalformedMessage(f"{name} of {len(array)} numbers for {count} key points")
        shaped[name] = array.reshape(shape)
    return key_points(shaped)


def unpacked_floats(data: bytes, largest: float = FARTHEST) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Unpack float32.

    Raises MalformedMessage unless all of them are finite and small.
    """
    if len(data) % 4 or len(data) > 64 * MOST_POINTS:
        raise MalformedMessage(f"{len(data)} bytes are not a list of numbers")
    floats = np.frombuffer(data, "<f4").astype(np.float32)
    if not (np.isfinite(floats).all() and np.abs(floats).max(initial=0) < largest):
        raise MalformedMessage("a number that no face has")
    return floats

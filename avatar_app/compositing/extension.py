"""Continue person and background beyond a photo's edges, once for each photo.

Shoulders that the photo cuts slope on and end; a cut head closes like a dome. Their colours are those next to
the edge, folded. The background is mirrored, and blurred more the farther out it is, with its grain, so that
things in it do not appear twice.

Arrays are (h, w, ...) with the photo in `Area` ``photo``; ``side`` is that of the square crop, the unit of
all lengths.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Area, Image

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

HALF = 127
"""Alpha above which a pixel is the person's."""

EDGE = 3
"""Pixels at a photo's edge that are ignored: frames, and artefacts of compression."""

FOLD = 0.05
"""Width of the strip at an edge whose colours are repeated beyond it, forth and back."""

SLOPE = 0.15, 2.5
"""Limits of the slope of a shoulder at the photo's edge, outwards."""

ROUND = 2.2
"""Curvature of a continued shoulder: half its second derivative."""

ROUNDER = 8.0
"""Added curvature for each side by which the person's outline at the edge is above the chin: hair closes
sooner than shoulders.
"""

HIGH, LOW = 0.6, 0.25
"""Height of the dome that closes a cut head over half its width, above and to the sides."""

SOFT = 0.12
"""Distance from an edge over which the mirrored background becomes blurred."""

SOFTNESS = 0.05
"""Standard deviation of that blur."""

GRAIN = 6
"""Amplitude of fine texture, in levels, that stays sharp."""

REACH = 40
"""Divisor of the side: nearer to the person than this, the background may still contain the person."""

INSIDE = 0.08
"""Distance inwards over which a guess at a photo's edge is blended away."""

SMALLER = 4
"""Divisor of rows and columns for smoothing backgrounds."""


def extended_background(background: Image, person: Plane, photo: Area, side: int) -> Image:
    """Continue the background (h, w, 3) outside of the photo.

    Args:
        person: (h, w) alpha. What it covers at the photo's edge is a guess, which is not mirrored but blended
            away.
    """
    height, width = background.shape[:2]
    rows, columns = _mirrored(height, photo.top, photo.bottom), _mirrored(width, photo.left, photo.right)
    whole = np.ascontiguousarray(background[rows][:, columns])
    reach = side // REACH
    covered = cv2.dilate(person, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    free = np.asarray(cv2.bitwise_not(cv2.blur(covered, (reach, reach))), np.float32)
    known = np.asarray(free[rows][:, columns] / 255, np.float32)
    outside = _outside(height, width, photo)
    weight = np.clip(outside / (SOFT * side), 0, 1)
    weight = weight * weight * (3 - 2 * weight)
    weight = np.maximum(weight, (1 - known) * np.clip(1 + outside / (INSIDE * side), 0, 1))
    soft = _softened(whole, known, side)
    return _with_grain(whole, soft, np.asarray(weight, np.float32), known)


def _with_grain(picture: Image, soft: Floats, weight: Floats, known: Floats) -> Image:
    """Blend in ``soft`` by ``weight``, keeping the fine texture of the known picture."""
    near = cv2.GaussianBlur(picture, (0, 0), 1.5)
    grain = np.clip(picture.astype(np.int16) - near, -GRAIN, GRAIN)
    blended = cv2.blendLinear(picture, np.asarray(soft.clip(0, 255), np.uint8), 1 - weight, weight)
    grained = blended + grain * (weight * known)[..., None]
    return np.asarray(grained.round().clip(0, 255), np.uint8)


def extended_person(person: Image, photo: Area, side: int, chin: float) -> Image:
    """Continue the person's colours and alpha (h, w, 4) outside of the photo.

    Args:
        chin: row of the chin.
    """
    whole = person.copy()
    _above(whole, photo)
    _below(whole, photo, side)
    _beside(whole, photo, side, chin)
    flipped = np.ascontiguousarray(whole[:, ::-1])
    width = whole.shape[1]
    _beside(flipped, Area(width - photo.right, photo.top, width - photo.left, photo.bottom), side, chin)
    return np.ascontiguousarray(flipped[:, ::-1])


def _above(person: Image, photo: Area) -> None:
    """Close a head that the photo's upper edge cuts with a dome."""
    first = photo.top + EDGE
    if photo.top > 0:
        person[:first, :, 3] = 0
        cut = np.flatnonzero(person[first, :, 3] > HALF)
        if len(cut):
            _close(person, first, int(cut[0]), int(cut[-1]) + 1, HIGH)


def _close(person: Image, first: int, begin: int, end: int, height: float) -> None:
    """Close what the row ``first`` cuts between two columns with a dome.

    Its height is ``height`` times half its width.
    """
    middle, half = (begin + end - 1) / 2, max(2.0, (end - begin) / 2)
    margin = 4
    columns = slice(max(0, begin - margin), end + margin)
    row, line = person[first, columns, 3].copy(), np.arange(person.shape[1], dtype=np.float32)[columns]
    row[: max(0, begin - columns.start - margin)] = 0
    rows = min(first, int(height * half))
    for up in range(1, rows + 1):
        narrower = np.sqrt(max(0.0025, 1 - (up / (height * half)) ** 2))
        x = (middle + (line - middle) / narrower)[None].astype(np.float32)
        y = np.full_like(x, first + min(up, 12))
        inside = x - columns.start
        alpha = cv2.remap(
            row[None], inside, np.zeros_like(x), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        colours = cv2.remap(person, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        colours[:, 3] = alpha[0]
        person[first - up, columns] = np.where(
            alpha[0, :, None] > person[first - up, columns, 3:], colours, person[first - up, columns]
        )


def _below(person: Image, photo: Area, side: int) -> None:
    """Continue the body below the photo."""
    last = photo.bottom - EDGE
    if photo.bottom < len(person):
        rows = last - 1 - _folded(np.arange(1, len(person) - last + 1), FOLD * side)
        person[last:] = person[rows]
        person[last:, :, 3] = person[last - 1, :, 3]


def _beside(person: Image, photo: Area, side: int, chin: float) -> None:
    """Continue the person beyond the left edge: shoulders slope on, heads close."""
    first = photo.left + EDGE
    if photo.left <= 0:
        return
    person[:, :first, 3] = 0
    fold = max(2, round(FOLD * side))
    outline = _outline(person[:, first : first + 2 * fold, 3], photo.bottom - 1 - EDGE)
    if outline is not None:
        _slope(person, first, outline, side, chin)
    there = person[photo.top : photo.bottom, first, 3] > HALF
    steps = np.flatnonzero(np.diff(np.concatenate(([0], there.astype(np.int8), [0])))) + photo.top
    turned = person.transpose(1, 0, 2)
    for begin, end in zip(steps[::2], steps[1::2], strict=True):
        if end < photo.bottom - 2 * EDGE:
            _close(turned, first, int(begin), int(end), LOW)


def _slope(person: Image, first: int, outline: Floats, side: int, chin: float) -> None:
    """Continue a shoulder to the left of the column ``first``.

    Args:
        outline: its first row there and inwards.
    """
    fold = len(outline) // 2
    slope = float(np.clip((outline[0] - outline[fold]) / fold, *SLOPE))
    bend = (ROUND + ROUNDER * max(0.0, (chin - outline[0]) / side)) / side
    away = np.arange(1, first + 1, dtype=np.float32)
    inside = _folded(away, fold)
    fall = outline[0] + slope * away + bend * away**2
    rows = np.arange(len(person), dtype=np.float32)[:, None]
    y = (rows - (fall - outline[inside])[None]).astype(np.float32)
    x = np.broadcast_to((inside + first).astype(np.float32), y.shape)
    made = cv2.remap(person, np.ascontiguousarray(x), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Anything above the shoulder, such as an ear or hair, is not part of it.
    made[..., 3] *= rows > fall[None] - 4
    person[:, :first] = made[:, ::-1]


def _outline(alpha: Plane, last: int) -> Floats | None:
    """Return, smoothed, the first row of what reaches down to the row ``last``.

    For each column; None if the first columns have nothing there.
    """
    there = np.logical_and.accumulate(alpha[last::-1] > HALF, axis=0)
    rows = (last + 1 - there.sum(0)).astype(np.float32)
    if (rows[:2] > last - 4).any():
        return None
    return np.asarray(cv2.blur(rows[None], (7, 1), borderType=cv2.BORDER_REPLICATE)[0], np.float32)


def _folded(away: npt.NDArray[Any], width: float) -> npt.NDArray[np.int64]:
    """Fold distances into 0 to ``width``."""
    whole = max(2, round(width))
    along = np.asarray(away, np.int64) % (2 * whole)
    return np.minimum(along, 2 * whole - along)


def _mirrored(length: int, first: int, end: int) -> npt.NDArray[np.int64]:
    """Return, for each of ``length`` positions, the mirrored one in [first, end)."""
    first, end = min(first + EDGE, length - 2), max(end - EDGE, 1)
    return first + _folded(np.abs(np.arange(length) - first), end - 1 - first)


def _outside(height: int, width: int, photo: Area) -> Floats:
    """Return each pixel's distance outside of the photo; negative inside."""

    def beyond(length: int, first: int, end: int) -> Floats:
        line = np.arange(length, dtype=np.float32)
        before = first + EDGE - line if first > 0 else np.full_like(line, -length)
        after = line - (end - 1 - EDGE) if end < length else np.full_like(line, -length)
        return np.maximum(before, after)

    across, down = (
        beyond(width, photo.left, photo.right)[None],
        beyond(height, photo.top, photo.bottom)[:, None],
    )
    far = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    return np.asarray(np.where(far > 0, far, np.maximum(across, down)), np.float32)


def _softened(picture: Image, known: Floats, side: int) -> Floats:
    """Blur the known part and spread it over the rest, on a reduced copy."""
    height, width = known.shape
    few = (max(1, width // SMALLER), max(1, height // SMALLER))
    weights = cv2.resize(known, few, interpolation=cv2.INTER_AREA)
    small = cv2.resize(picture, few, interpolation=cv2.INTER_AREA) * weights[..., None]
    sums = _blurred(np.dstack((small, weights)), SOFTNESS * side / SMALLER)
    spread = filled(np.asarray(sums[..., :3], np.float32), np.asarray(sums[..., 3], np.float32))
    spread = _blurred(spread, SOFTNESS * side / SMALLER / 2)
    return np.asarray(cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def filled(sums: Floats, weights: Floats) -> Floats:
    """Fill unknown pixels with means of the nearest known ones (push-pull).

    Args:
        sums: (h, w, 3), values times their weights.
        weights: (h, w), 0 to 1.
    """
    height, width = weights.shape
    mean = sums / np.maximum(weights, 1e-4)[..., None]
    if min(height, width) <= 4:
        total = float(weights.sum())
        return np.asarray(np.broadcast_to(sums.sum((0, 1)) / max(total, 1e-4), sums.shape), np.float32)
    half = (width // 2, height // 2)
    fewer = [
        np.asarray(cv2.resize(one, half, interpolation=cv2.INTER_AREA), np.float32) for one in (sums, weights)
    ]
    coarse = cv2.resize(filled(*fewer), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(coarse + np.minimum(1, 4 * weights)[..., None] * (mean - coarse), np.float32)


def _blurred(values: Floats, radius: float) -> Floats:
    blurred = cv2.GaussianBlur(values, (0, 0), max(0.5, radius), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)

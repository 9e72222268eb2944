"""Degrade faces as cameras do: light, colour, blur, noise, compression, occlusion."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import LEFT_EYE, NOSE_SECOND, NOSE_TOP, RIGHT_EYE

Picture = npt.NDArray[np.uint8]
Random = np.random.Generator

_GREY = np.full((3, 3), 1 / 3, np.float32)


def chance(random: Random, probability: float) -> bool:
    return bool(random.random() < probability)


def recoloured(picture: Picture, random: Random) -> Picture:
    """Change brightness, contrast, gamma, white balance by one table; then saturation."""
    ramp = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(random.normal(0, 0.28))
    gain = np.exp(random.normal(0, 0.22)) * np.exp(random.normal(0, 0.07, 3))
    offset = random.normal(0, 0.05)
    if chance(random, 0.1):
        gain = gain * random.uniform(0.25, 0.6)
    table = np.clip((ramp[:, None] ** gamma - 0.5) * gain + 0.5 * min(1.0, float(gain.mean())) + offset, 0, 1)
    picture = np.asarray(cv2.LUT(picture, (table * 255).astype(np.uint8)[None]), np.uint8)
    amount = 0.0 if chance(random, 0.1) else random.uniform(0.3, 1.5)
    matrix = amount * np.eye(3, dtype=np.float32) + (1 - amount) * _GREY
    return np.asarray(cv2.transform(picture, matrix), np.uint8)


def relit(picture: Picture, random: Random) -> Picture:
    """Apply a smooth field of light and shadow.

    Sometimes with a hard edge and a colour of its own.
    """
    height, width = picture.shape[:2]
    coarse = int(random.integers(2, 5))
    tint = 3 if chance(random, 0.3) else 1
    light = np.exp(random.normal(0, 0.35, (coarse, coarse, tint))).astype(np.float32)
    method = cv2.INTER_NEAREST if coarse == 2 and chance(random, 0.1) else cv2.INTER_CUBIC
    field = cv2.resize(
        np.broadcast_to(light, (coarse, coarse, 3)).copy(), (width, height), interpolation=method
    )
    return np.asarray(cv2.multiply(picture, field, dtype=cv2.CV_8U), np.uint8)


def blurred(picture: Picture, random: Random) -> Picture:
    """Blur: out of focus, or moved in one direction."""
    if chance(random, 0.5):
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 2.4)), np.uint8)
    length = int(random.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    angle, middle = random.uniform(0, np.pi), (length - 1) / 2
    for step in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def coarsened(picture: Picture, random: Random) -> Picture:
    """Reduce and enlarge, as for a small face in the camera's picture."""
    height, width = picture.shape[:2]
    scale = random.uniform(0.18, 0.7)
    small = cv2.resize(
        picture, (max(8, int(width * scale)), max(8, int(height * scale))), interpolation=cv2.INTER_AREA
    )
    method = cv2.INTER_LINEAR if chance(random, 0.7) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (width, height), interpolation=method), np.uint8)


def noisy(picture: Picture, random: Random) -> Picture:
    """Add sensor noise, sometimes grey, sometimes in blobs of two pixels."""
    height, width = picture.shape[:2]
    blob = 2 if chance(random, 0.4) else 1
    channels = 3 if chance(random, 0.6) else 1
    grain = np.empty((height // blob, width // blob, channels), np.int16)
    cv2.randn(grain, np.zeros(channels), np.full(channels, random.uniform(2, 16)))
    noise = np.asarray(cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)).reshape(
        height, width, -1
    )
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def compressed(picture: Picture, random: Random) -> Picture:
    """Compress as JPEG of poor quality."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(18, 75))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def degraded(picture: Picture, random: Random) -> Picture:
    """Apply all of the above, each with its probability, in the order of a camera."""
    picture = recoloured(picture, random)
    if chance(random, 0.35):
        picture = relit(picture, random)
    if chance(random, 0.22):
        picture = blurred(picture, random)
    if chance(random, 0.25):
        picture = coarsened(picture, random)
    if chance(random, 0.35):
        picture = noisy(picture, random)
    if chance(random, 0.2):
        picture = compressed(picture, random)
    return picture


def texture(backgrounds: Sequence[Picture], random: Random, side: int) -> Picture:
    """Return a square without a face: a piece of a background picture, or a pattern."""
    if len(backgrounds) and chance(random, 0.7):
        source = backgrounds[int(random.integers(len(backgrounds)))]
        span = int(min(source.shape[:2]) * random.uniform(0.1, 1.0))
        top = int(random.integers(source.shape[0] - span + 1))
        left = int(random.integers(source.shape[1] - span + 1))
        piece = source[top : top + span, left : left + span]
        method = cv2.INTER_AREA if span > side else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(piece, (side, side), interpolation=method), np.uint8)
    return _drawing(random, side) if chance(random, 0.4) else _mottled(random, side)


def _mottled(random: Random, side: int) -> Picture:
    """Draw patches of colour, from one to 40 across."""
    grain = int(random.choice([1, 2, 3, 5, 9, 17, 40]))  # not landmarks
    field = random.uniform(0, 255, (grain, grain, 3)).astype(np.float32)
    if chance(random, 0.5):
        field = field.mean() + (field - field.mean()) * random.uniform(0.05, 0.6)
    method = cv2.INTER_NEAREST if chance(random, 0.3) else cv2.INTER_CUBIC
    return np.clip(cv2.resize(field, (side, side), interpolation=method), 0, 255).astype(np.uint8)


def _drawing(random: Random, side: int) -> Picture:
    """Draw lettering, rings, ellipses and lines, as on a screen or a poster."""
    out = np.full((side, side, 3), random.integers(0, 256, 3), np.uint8)
    lettering = chance(random, 0.4)
    for _ in range(int(random.integers(1, 25))):
        colour = [int(value) for value in random.integers(0, 256, 3)]
        x, y = (int(value) for value in random.integers(0, side, 2))
        thick = int(random.integers(1, 4))
        if lettering:
            word = "".join(chr(code) for code in random.integers(48, 123, int(random.integers(2, 16))))
            cv2.putText(
                out,
                word,
                (x - side // 3, y),
                int(random.integers(0, 8)),
                random.uniform(0.3, 1.6),
                colour,
                thick,
                cv2.LINE_AA,
            )
        elif chance(random, 0.6):
            axes = (int(random.integers(1, side // 4)), int(random.integers(1, side // 4)))
            cv2.ellipse(
                out,
                (x, y),
                axes,
                random.uniform(0, 180),
                0,
                360,
                colour,
                -1 if chance(random, 0.5) else thick,
                cv2.LINE_AA,
            )
        else:
            end = (int(random.integers(0, side)), int(random.integers(0, side)))
            cv2.line(out, (x, y), end, colour, thick * 2, cv2.LINE_AA)
    return out


def with_glasses(picture: Picture, points: npt.NDArray[np.float32], random: Random) -> Picture:
    """Draw spectacles, since few people in the data wear them.

    ``points`` in pixels of the picture.
    """
    right, left = points[RIGHT_EYE, :2].mean(0), points[LEFT_EYE, :2].mean(0)
    span = float(np.linalg.norm(left - right))
    angle = float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))
    if span < 8:
        return picture
    half = (span * random.uniform(0.33, 0.46), span * random.uniform(0.24, 0.4))
    drop = points[NOSE_SECOND, :2] - points[NOSE_TOP, :2]
    drop = drop / max(float(np.linalg.norm(drop)), 1e-3) * span * random.uniform(-0.02, 0.1)
    colour = tuple(float(value) for value in random.integers(0, 256, 3) * random.choice([0.15, 0.5, 1.0]))
    thick = max(1, round(span * random.uniform(0.015, 0.08)))
    out = picture.copy()
    boxy = chance(random, 0.5)
    for eye in (right, left):
        centre = eye + drop
        if boxy:
            corners = cv2.boxPoints((tuple(map(float, centre)), (half[0] * 2, half[1] * 1.8), angle)).astype(
                np.int32
            )
            cv2.polylines(out, [corners], True, colour, thick, cv2.LINE_AA)
        else:
            place = (round(float(centre[0])), round(float(centre[1])))
            cv2.ellipse(
                out, place, (round(half[0]), round(half[1])), angle, 0, 360, colour, thick, cv2.LINE_AA
            )
    if chance(random, 0.4):
        start = right + drop + random.normal(0, 0.2, 2) * span
        cv2.line(
            out,
            tuple(map(round, start.tolist())),
            tuple(map(round, (start + random.normal(0, 0.3, 2) * span).tolist())),
            (255,) * 3,
            thick,
        )
        return np.asarray(cv2.addWeighted(out, 0.8, picture, 0.2, 0), np.uint8)
    return out


def occluded(picture: Picture, filling: Picture, random: Random) -> Picture:
    """Put a hand-sized blob, bar or box of another texture in front of the face."""
    side = picture.shape[0]
    mask = np.zeros((side, side), np.uint8)
    for _ in range(int(random.integers(1, 3))):
        centre = tuple(int(value) for value in random.integers(0, side, 2))
        axes = tuple(int(value) for value in random.uniform(0.05, 0.24, 2) * side)
        if chance(random, 0.6):
            cv2.ellipse(mask, centre, axes, random.uniform(0, 180), 0, 360, 255, -1)
        else:
            corners = cv2.boxPoints(
                (tuple(map(float, centre)), (axes[0] * 2.0, axes[1] * 2.0), random.uniform(0, 180))
            ).astype(np.int32)
            cv2.fillConvexPoly(mask, corners, 255)
    out = picture.copy()
    np.copyto(out, filling, where=mask[..., None] > 0)
    return out


def behind(picture: Picture, filling: Picture, outline: npt.NDArray[np.float32], random: Random) -> Picture:
    """Put the face, with a little hair, on another background.

    ``outline`` (N, 2) in pixels.
    """
    hull = cv2.convexHull(outline.astype(np.float32)).reshape(-1, 2)
    middle = hull.mean(0)
    grown = middle + (hull - middle) * random.uniform(1.12, 1.5)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, grown.astype(np.int32), 255)
    soft = cv2.GaussianBlur(mask, (0, 0), random.uniform(1, 6)).astype(np.float32)[..., None] / 255
    return (picture * soft + filling * (1 - soft)).astype(np.uint8)


def cropped_by_edge(picture: Picture, random: Random) -> Picture:
    """Repeat the last row or column beyond an edge of the camera's picture.

    As at run time for a crop that extends beyond it.
    """
    amount = int(picture.shape[0] * random.uniform(0.03, 0.3))
    turns = int(random.integers(4))
    out = np.rot90(picture, turns).copy()
    out[:amount] = out[amount]
    return np.ascontiguousarray(np.rot90(out, -turns))

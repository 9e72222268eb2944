"""Eyes that look and blink: eyeballs turn in the skull, lids slide over them. numpy and OpenCV.

Small networks paint eyes that stare ahead and close by half. Landmarks tell where irises, lids and brows are, and geometry puts them
there (`eye_geometry`): where the networks' motion misses the edges of lids and brows, skin around them is stretched or squeezed further;
between the lids lies the eyeball, which is taken apart once per photo: the white without iris, and the whole iris, also what lids hide.

`avatar_app.networks.anchored.eyes` does the same for PyTorch. S is the picture's side, P landmarks are (P, 2) in [-1, 1], x first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.eye_geometry import (
    ABOVE,
    ASIDE,
    BELOW,
    MARKS,
    Eye,
    Frame,
    Pose,
    Seen,
    Still,
    how_open,
    looked_at,
    misses_of,
    pose_of,
    seen,
    shade,
    still_of,
    swell_at,
)
from avatar_app.compositing.teeth import FARTHEST, skull_map, wide
from avatar_app.types import Image

Floats = npt.NDArray[np.float32]
Box = tuple[slice, slice]

WHITE_SHAPE, WHITE_U, WHITE_V = (88, 128), 1.3, 0.9
"""Rows and columns of the picture of the white, and how far from the eye's middle its sides are."""

IRIS_SIDE, IRIS_REACH = 64, 1.25
"""Side of the picture of the iris, and how far from the middle its sides are, in radii of the iris."""

EDGE = 0.06
"""Over this distance a lid's edge becomes the eyeball."""

LASHES = 0.06
"""So close to the upper lid, lashes hide the eyeball."""

NO_WHITE = 200.0, 195.0, 190.0
"""The white of eyes that show none."""

ROOM = 3
"""Pixels around the lids that are looked at too."""


class Eyes(NamedTuple):
    """Of a photo.

    Attributes:
        white: (2, H, W, 3), as lit as without lids, 0 to 255 and more.
        iris: (2, N, N, 4), the same, and last where it is, 0 to 1.
        points: (P, 2), the photo's landmarks.
        shown: (2, 1, 1), how much of the eyeballs the photo tells, 0 to 1.
    """

    white: Floats
    iris: Floats
    points: Floats
    still: Still
    shown: Floats


def marks(points: Floats) -> tuple[Floats, Floats]:
    """x and y of `MARKS`."""
    both = points[np.array(MARKS)][:, None]
    return both[..., 0], both[..., 1]


def eyes_of(photo: Image, still: Floats) -> Eyes:
    """The eyes of a photo (S, S, 3) with the landmarks ``still``, taken apart."""
    geometry = still_of(*marks(still))
    frame, eye = geometry.frame, geometry.eye
    look_u, look_v, radius = eye.look_u, eye.look_v, eye.radius
    across, down = _line(WHITE_U, WHITE_SHAPE[1]), _line(WHITE_V, WHITE_SHAPE[0])[:, None]
    colours, known = _eyeballs(photo, frame, eye, across, down)
    away = np.hypot(across - look_u, down - look_v) / radius
    known = known * ((away - 1.15) / 0.1).clip(0, 1)
    white = [_filled(*one, WHITE_SHAPE[1] / (2 * WHITE_U)) for one in zip(colours, known, strict=True)]
    line = _line(IRIS_REACH, IRIS_SIDE)
    far = np.hypot(line, line[:, None])
    colours, known = _eyeballs(photo, frame, eye, look_u + radius * line, look_v + radius * line[:, None])
    here = ((1.03 - far) / 0.12 + 0.5).clip(0, 1)
    iris = [np.dstack([_in_rings(*one, far), here]) for one in zip(colours, known, strict=True)]
    return Eyes(np.stack(white), np.stack(iris), still, geometry, how_open(eye))


def _line(end: float, count: int) -> Floats:
    return np.linspace(-end, end, count, dtype=np.float32)


def _eyeballs(photo: Image, frame: Frame, eye: Eye, u: Floats, v: Floats) -> tuple[list[Floats], Floats]:
    """Colours of both eyeballs as without the shadows of lids, and how surely it is them that are seen there, 0 to 1."""
    u, v = np.broadcast_arrays(u, v)
    u, v = (np.broadcast_to(line, (2, *line.shape[-2:])) for line in (u, v))
    swell = swell_at(u)
    under, over = v - eye.upper.at(u, swell), eye.lower.at(u, swell) - v
    found = _sample_skin(photo, frame, u, v)
    light = shade(under, over)[..., None]
    known = ((under - LASHES) / 0.05 + 0.5).clip(0, 1) * ((over - 0.03) / 0.05 + 0.5).clip(0, 1)
    return [
        np.asarray(colours / part, np.float32) for colours, part in zip(found, light, strict=True)
    ], np.asarray(known, np.float32)


def _sample_skin(photo: Image, frame: Frame, u: Floats, v: Floats) -> list[Floats]:
    scale = (len(photo) - 1) / 2
    columns, rows = (np.asarray((line + 1) * scale, np.float32) for line in frame.back(u, v))
    return [_sample(photo, column, row).astype(np.float32) for column, row in zip(columns, rows, strict=True)]


def _sample(picture: npt.NDArray[Any], columns: Floats, rows: Floats) -> npt.NDArray[Any]:
    return np.asarray(cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _filled(colours: Floats, known: Floats, scale: float) -> Floats:
    """The white (H, W, 3), where it is not known as it is nearby."""
    share = known[..., None]
    sure = colours[known > 0.5]
    filled = np.full_like(colours, sure.mean(0) if len(sure) else NO_WHITE)
    for sigma in (0.4, 0.15):
        sums = cv2.GaussianBlur(np.dstack([colours * share, known]), (0, 0), sigma * scale)
        filled = (sums[..., :3] + 0.02 * filled) / (sums[..., 3:] + 0.02)
    return np.asarray(filled + share * (colours - filled), np.float32)


def _in_rings(colours: Floats, known: Floats, far: Floats) -> Floats:
    """The iris (N, N, 3), where it is hidden as the same ring around its middle is elsewhere."""
    rings = np.linspace(0, IRIS_REACH, 12, dtype=np.float32)
    weights = np.exp(-(((far.ravel() - rings[:, None]) / 0.08) ** 2)) * (known.ravel() + 1e-6)
    means = (weights @ colours.reshape(-1, 3)) / weights.sum(1, keepdims=True)
    hidden = np.stack([np.interp(far, rings, mean) for mean in means.T], 2)
    return np.asarray(hidden + known[..., None] * (colours - hidden), np.float32)


class View(NamedTuple):
    """Both eyes as a pose shows them, and where in the picture that is (h rows, w columns each).

    Attributes:
        inner: of each box, the part around the lids.
        lids: (2, h, w) of these parts, column and row of the photo from which they come as the skin of upper lids.
    """

    eyes: Eyes
    pose: Pose
    seen: Seen
    boxes: list[Box]
    inner: list[Box]
    lids: list[Floats]


def move_skin(places: Floats, share: npt.NDArray[np.uint8], eyes: Eyes, points: Floats) -> View | None:
    """Let the skin around the eyes come from where lids and brows were, in place.

    Args:
        places: (2, S, S), column and row of the photo from which the networks move each pixel.
        share: (S, S), of the moved photo.
        points: (P, 2), of the pose.

    Returns:
        What `show_eyes` needs; None for landmarks that are no face's.
    """
    if not (abs(points) < FARTHEST).all():  # nor is a place that is no number
        return None
    what = _view(places, eyes, points)
    parts, scale = what.seen, np.float32((len(share) - 1) / 2)
    came = [np.stack([places[(axis, *box)] for box in what.boxes]) / scale - 1 for axis in (0, 1)]
    own = eyes.still.frame.place(*came)[1]
    above = parts.above(own)
    further = np.where(parts.under < 0, above, parts.below(own)) * parts.weight
    for eye, (box, inner) in enumerate(zip(what.boxes, what.inner, strict=True)):
        for axis, step in enumerate(_down(eyes, eye, len(share))):
            place = places[(axis, *box)]
            what.lids[eye][axis] = place[inner] + step * above[eye][inner]
            place += step * further[eye]
        share[box] = np.maximum(share[box], 255 * parts.lid[eye])
    return what


def _view(places: Floats, eyes: Eyes, points: Floats) -> View:
    linear, side = skull_map(eyes.points, points)[:, :2], places.shape[1]
    x, y = marks(points)
    pose = pose_of(x, y, ((linear[0, 0], linear[0, 1]), (linear[1, 0], linear[1, 1])), eyes.still)
    scale = np.float32((side - 1) / 2)
    columns, rows = ((line[:, 0] + 1) * scale for line in looked_at(np, pose, x, y))
    came = [_sample(place, columns, rows)[:, None] / scale - 1 for place in places]
    boxes = _boxes(pose.turn.here, side)
    columns, rows = (
        np.array([np.arange(box[axis].start, box[axis].stop) for box in boxes], np.float32) / scale - 1
        for axis in (1, 0)
    )
    parts = seen(
        np,
        eyes.still,
        eyes.shown,
        pose,
        misses_of(eyes.still, pose, *came),
        columns[:, None],
        rows[..., None],
    )
    inner = [
        _inner(across, down, box)
        for across, down, box in zip((x[:, 0, :6] + 1) * scale, (y[:, 0, :6] + 1) * scale, boxes, strict=True)
    ]
    lids = [np.empty((2, *parts.u[eye][part].shape), np.float32) for eye, part in enumerate(inner)]
    return View(eyes, pose, parts, boxes, inner, lids)


def _down(eyes: Eyes, eye: int, side: int) -> tuple[float, float]:
    """Columns and rows of the photo in one v of an eye."""
    frame = Frame(*(float(number[eye, 0, 0]) for number in eyes.still.frame))
    size = frame.half * (side - 1) / 2
    return -frame.along_y * size, frame.along_x * size


def _boxes(here: Frame, side: int) -> list[Box]:
    """Around each eye and its brow, of one size and within the picture."""
    scale = (side - 1) / 2
    across, down = abs(here.along_x), abs(here.along_y)
    aside, tall = ASIDE * here.half * scale, (ABOVE + BELOW) / 2 * here.half * scale
    reach = np.array([(aside * down + tall * across).max(), (aside * across + tall * down).max()])
    size = np.minimum(2 * np.ceil(reach).astype(int) + 3, side)
    x, y = here.back(np.float32(0), np.float32((BELOW - ABOVE) / 2))
    middles = (np.column_stack([y.ravel(), x.ravel()]) + 1) * scale
    starts = (middles.round().astype(int) - size // 2).clip(0, side - size)
    return [(slice(top, top + size[0]), slice(left, left + size[1])) for top, left in starts.tolist()]


def _inner(x: Floats, y: Floats, box: Box) -> Box:
    """Of a box, the part around these lids; x and y in pixels of the picture."""
    parts = []
    for line, whole in zip((y, x), box, strict=True):
        low, high = int(line.min()) - 2 * ROOM - whole.start, int(line.max()) + ROOM + 2 - whole.start
        parts.append(slice(max(low, 0), max(high, 0)))
    return parts[0], parts[1]


def show_eyes(picture: Image, photo: Image, what: View) -> None:
    """Put eyeballs between the lids of a picture (S, S, 3), and the upper lids over them, in place.

    Args:
        photo: (S, S, 3 or more), whose skin it is.
        what: of `move_skin`.
    """
    for eye, (box, inner) in enumerate(zip(what.boxes, what.inner, strict=True)):
        parts = Seen(*(part[eye][inner] for part in what.seen))
        if not parts.u.size:
            continue
        under, over = parts.under, parts.over
        open_here = ((under + over) / EDGE).clip(0, 1) * what.eyes.shown[eye]
        inside = (under / EDGE + 0.5).clip(0, 1) * (over / EDGE + 0.5).clip(0, 1) * open_here
        lid = (0.5 - under / EDGE).clip(0, 1) * (under > -1.5 * EDGE) * parts.weight
        before = picture[box][inner]
        mixed = before + wide(inside) * (_eyeball(what, eye, parts) - before)
        mixed += wide(lid) * (_sample(photo, *what.lids[eye])[..., :3] - mixed)
        before[...] = (mixed + 0.5).clip(0, 255)


def _eyeball(what: View, eye: int, parts: Seen) -> Floats:
    eyes, (height, width) = what.eyes, WHITE_SHAPE
    column, row = (
        (parts.u + WHITE_U) * ((width - 1) / (2 * WHITE_U)),
        (parts.v + WHITE_V) * ((height - 1) / (2 * WHITE_V)),
    )
    white = _sample(eyes.white[eye], column, row)
    step, radius = (IRIS_SIDE - 1) / (2 * IRIS_REACH), float(eyes.still.eye.radius[eye, 0, 0])
    look = float(what.pose.eye.look_u[eye, 0, 0]), float(what.pose.eye.look_v[eye, 0, 0])
    x, y = (
        ((place - middle) / radius + IRIS_REACH) * step
        for place, middle in zip((parts.u, parts.v), look, strict=True)
    )
    iris = _sample(eyes.iris[eye], x, y)
    white += wide(iris[..., 3]) * (iris[..., :3] - white)
    return np.asarray(white * wide(shade(parts.under, parts.over)), np.float32)

"""Eyes that look and blink, for PyTorch: what `avatar_app.compositing.eyes` does in bytes, and says what it is for.

Shapes: B batch, S the picture's side, P landmarks (B, P, 2) in [-1, 1], x first; both eyes are (B, 2, ...), the right one first.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.compositing.eye_geometry import (
    MARKS,
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
)
from avatar_app.compositing.eyes import EDGE, IRIS_REACH, IRIS_SIDE, WHITE_SHAPE, WHITE_U, WHITE_V
from avatar_app.networks.anchored.teeth import skull_map
from avatar_app.networks.grid import coordinate_grid


class View(NamedTuple):
    """Both eyes of photos and poses, and what every pixel shows of them; ``lids`` (B, 2, 2, S, S) are x and y in the photo from which each
    comes as the skin of upper lids."""

    still: Still
    shown: Tensor
    pose: Pose
    seen: Seen
    lids: list[Tensor]


def marks(points: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of `MARKS`, each (B, 2, 1, 16)."""
    both = points[:, [mark for eye in MARKS for mark in eye]].reshape(-1, 2, 1, len(MARKS[0]), 2)
    return both[..., 0], both[..., 1]


def no_eyeballs(image: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures of white and iris, (B, 2, 4, H, W) and (B, 2, 4, N, N), of photos whose eyes have not been taken apart: empty.

    In those of white, the last channel is 1 where they have been (`avatar_app.compositing.eyes.eyes_of`); only then anything moves.
    """
    shape = (len(image), 2, 4)
    return image.new_zeros(*shape, *WHITE_SHAPE), image.new_zeros(*shape, IRIS_SIDE, IRIS_SIDE)


def move_skin(
    places: Tensor, share: Tensor, known: Tensor, still_points: Tensor, points: Tensor
) -> tuple[Tensor, Tensor, View]:
    """With moved lids and brows: places (B, 2, S, S) in the photo from which pixels are moved, share (B, 1, S, S) of the moved photo.

    Args:
        known: (B, 1, 1, 1), 1 for photos whose eyes have been taken apart, else 0.
        still_points, points: (B, P, 2), of photo and pose.
    """
    what = _view(places, still_points, points)
    parts, frame = what.seen, what.still.frame
    own = frame.place(places[:, :1], places[:, 1:])[1]
    above = parts.above(own)
    further = torch.where(parts.under < 0, above, parts.below(own)) * (known * parts.weight)
    down = torch.cat([-frame.along_y * frame.half, frame.along_x * frame.half], 2)[..., None]
    for eye in range(2):
        what.lids.append(places + down[:, eye] * above[:, eye, None])
        places = places + down[:, eye] * further[:, eye, None]
        share = torch.maximum(share, known * parts.lid[:, eye : eye + 1])
    return places, share, what


def _view(places: Tensor, still_points: Tensor, points: Tensor) -> View:
    still, side = still_of(*marks(still_points)), places.shape[-1]
    linear, _ = skull_map(still_points, points)
    rows = [(row[:, 0, None, None, None], row[:, 1, None, None, None]) for row in linear.unbind(1)]
    at = marks(points)
    pose = pose_of(*at, (rows[0], rows[1]), still)
    came = _sample(places, *(line.reshape(len(places), 1, 2, -1) for line in looked_at(torch, pose, *at)))[
        ..., None, :
    ]
    x, y = coordinate_grid(side, side, points.device).unbind(-1)
    shown = how_open(still.eye)
    misses = misses_of(still, pose, came[:, 0], came[:, 1])
    return View(still, shown, pose, seen(torch, still, shown, pose, misses, x[None, None], y[None, None]), [])


def show_eyes(picture: Tensor, photo: Tensor, white: Tensor, iris: Tensor, what: View) -> Tensor:
    """Pictures (B, 3, S, S) with eyeballs between the lids, and the upper lids over them.

    Args:
        photo: (B, 3, S, S), whose skin it is.
        white, iris: as `no_eyeballs` says.
        what: of `move_skin`.
    """
    known = white[:, 0, 3:, :1, :1]
    for eye in range(2):
        parts = Seen(*(part[:, eye : eye + 1] for part in what.seen))
        under, over = parts.under, parts.over
        open_here = ((under + over) / EDGE).clip(0, 1) * what.shown[:, eye : eye + 1] * known
        inside = (under / EDGE + 0.5).clip(0, 1) * (over / EDGE + 0.5).clip(0, 1) * open_here
        lid = (0.5 - under / EDGE).clip(0, 1) * (under > -1.5 * EDGE) * parts.weight * known
        picture = picture + inside * (_eyeball(white[:, eye, :3], iris[:, eye], what, eye, parts) - picture)
        picture = picture + lid * (_sample(photo, *torch.split(what.lids[eye], 1, 1)) - picture)
    return picture


def _eyeball(white: Tensor, iris: Tensor, what: View, eye: int, parts: Seen) -> Tensor:
    ball = _sample(white, parts.u / WHITE_U, parts.v / WHITE_V)
    reach = IRIS_REACH * what.still.eye.radius[:, eye : eye + 1]
    look = (number[:, eye : eye + 1] for number in (what.pose.eye.look_u, what.pose.eye.look_v))
    found = _sample(
        iris, *((place - middle) / reach for place, middle in zip((parts.u, parts.v), look, strict=True))
    )
    ball = ball + found[:, 3:] * (found[:, :3] - ball)
    lit: Tensor = ball * shade(parts.under, parts.over)
    return lit


def _sample(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Of (B, C, h, w) at x, y (B, 1, n, m) in [-1, 1] of it."""
    places = torch.cat([x, y], 1).permute(0, 2, 3, 1)
    return F.grid_sample(
        picture.to(places.dtype), places, mode="bilinear", padding_mode="border", align_corners=True
    )

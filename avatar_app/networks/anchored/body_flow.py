"""Correct the flow of shoulders, hair, upper head and open mouths.

Plain geometry, without learned weights. Shapes: B batch, P landmarks (88), s side of the flow, grids in [-1,
1] with ``align_corners=True``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from avatar_app import landmarks
from avatar_app.networks.anchored.matte import head_offsets
from avatar_app.networks.anchored.pictures import warp
from avatar_app.networks.anchored.skull import turned_skull
from avatar_app.networks.grid import coordinate_grid

PARTED = 0.1
"""Lip gap in nose lengths from which a photo shows the inside of the mouth."""

LIP_EDGE = 0.02
"""Width of the transition from the inside of an open mouth to the lip, in half sides of the picture."""

BODY_BLUR = 6 / 64
"""Standard deviation of the smoothing of the body's motion, in sides of the picture."""

FACE_ENDS = 0.85, 1.0
"""Range over which painting fades out, in half axes of the ellipse around the landmarks."""

HAIR_BEGINS = 1.0, 1.15
"""Range over which the flow of long hair blends into that of its surroundings, in the same unit."""

HAIR_BLUR = 2 / 64
"""Standard deviation of the blur that gives the surroundings' flow, in sides of the picture."""

FARTHEST = 1.2
"""Limit of any displacement, as a multiple of the largest landmark displacement."""


def whole_head(flow: Tensor, body: Tensor, skull: Tensor, driving: Tensor, source: Tensor) -> Tensor:
    """Correct a flow (B, 2, s, s) where there are no landmarks.

    These parts are shoulders, long hair and the upper head.

    Args:
        body, skull: as in `Features`.
        driving, source: (B, P, 2), landmarks of the pose and of the photo.
    """
    side = flow.shape[-1]
    flow = whole_hair(damp_body(bounded(flow, driving, source), body, driving), body, driving, source)
    return turned_skull(
        flow, skull, driving, source, face_distance(driving, side), head_offsets(driving, side)[1]
    )


def bounded(flow: Tensor, driving: Tensor, source: Tensor) -> Tensor:
    """Limit a flow (B, 2, s, s) to `FARTHEST` times the largest landmark motion.

    The motion extrapolated from the nearest landmark grows with distance: without the limit, pixels just
    beyond the compressed outline of a turned head would be read from the opposite end of the photo.

    Args:
        driving, source: (B, P, 2), landmarks of the pose and of the photo.
    """
    grid = coordinate_grid(flow.shape[-1], flow.shape[-1], flow.device).permute(2, 0, 1)[None]
    farthest = FARTHEST * (source - driving)
    low, high = farthest.amin(1).clamp_max(0), farthest.amax(1).clamp_min(0)
    limited: Tensor = grid + torch.maximum(
        torch.minimum(flow - grid, high[..., None, None]), low[..., None, None]
    )
    return limited


def damp_body(flow: Tensor, body: Tensor, points: Tensor) -> Tensor:
    """Smooth a flow (B, 2, s, s) at neck, shoulders and hair over the forehead.

    It fades out towards the lower edge: otherwise the photo's lowest row would be stretched into streaks
    whenever the head rises. Smoothing is needed because no landmark lies on the shoulders and few training
    clips show them moving, so the learned flow is restless there.

    Args:
        body: (B, 1, s, s) alpha of the person in the photo.
        points: (B, P, 2), landmarks of the pose.
    """
    side = flow.shape[-1]
    grid = coordinate_grid(side, side, flow.device).permute(2, 0, 1)[None]
    beside, above = head_offsets(points, side)
    # Below the chin, or below the ears and farther out: a shoulder beside a bowed head.
    under = ((-above - 0.05) / 0.25).clamp(0, 1)
    outside = ((beside - 0.6) / 0.2).clamp(0, 1) * ((0.5 - above) / 0.2).clamp(0, 1)
    # Over the forehead hair ends where the background begins: stretched between the two, its tips would
    # become streaks.
    over = ((above - 1.1) / 0.2).clamp(0, 1)
    restless = torch.maximum(torch.maximum(under, outside), over)
    fade = ((1 - grid[:, 1:]) / (1 - points[:, landmarks.CHIN, 1:, None, None]).clamp_min(0.15)).clamp(0, 1)
    moved, here = flow - grid, warp(body, flow) + 1e-3
    spread = gaussian_matrix(side, BODY_BLUR * side, flow)
    sums = spread @ torch.cat([moved * here, here], 1) @ spread.t()
    calm: Tensor = flow + restless * (fade * sums[:, :2] / sums[:, 2:] - moved)
    return calm


def whole_hair(flow: Tensor, body: Tensor, driving: Tensor, source: Tensor) -> Tensor:
    """Move long hair beside the face with its surroundings, so that it cannot tear.

    Short hair is left alone: it cannot tear, and the correction would pull an ear that a turn should hide out
    from behind the cheek.

    Args:
        flow: (B, 2, s, s).
        body: (B, 1, s, s) alpha of the person in the photo.
        driving, source: (B, P, 2), landmarks of the pose and of the photo.
    """
    side = flow.shape[-1]
    grid = coordinate_grid(side, side, flow.device).permute(2, 0, 1)[None]
    distance, above = face_distance(source, side), head_offsets(source, side)[1]
    beside = ((distance > 1.15) & (distance < 1.5) & (above > 0.2) & (above < 0.7)).to(flow.dtype)
    share = (beside * body).sum((2, 3), keepdim=True) / beside.sum((2, 3), keepdim=True).clamp_min(1)
    long = ((share - 0.4) / 0.3).clamp(0, 1)
    moved, here = flow - grid, warp(body, flow) + 1e-2
    spread = gaussian_matrix(side, HAIR_BLUR * side, flow)
    sums = spread @ torch.cat([moved * here, here], 1) @ spread.t()
    at_hair = ((face_distance(driving, side) - HAIR_BEGINS[0]) / (HAIR_BEGINS[1] - HAIR_BEGINS[0])).clamp(
        0, 1
    )
    whole: Tensor = flow + long * at_hair * (sums[:, :2] / sums[:, 2:] - moved)
    return whole


def opened_mouth(source: Tensor, driving: Tensor, positions: Tensor) -> Tensor:
    """Return (B, N) where a mouth is open in the pose but closed in the photo, 0 to 1.

    The inside must be painted there, because the photo does not show it.

    Args:
        source, driving: (B, P, 2), of the photo and the pose.
        positions: (2, N) in [-1, 1], x first.
    """
    nose = (
        (source[:, landmarks.NOSE_TOP] - source[:, landmarks.NOSE_BASE])
        .norm(dim=1, keepdim=True)
        .clamp_min(1e-3)
    )
    apart = (source[:, landmarks.UPPER_INNER_LIP] - source[:, landmarks.LOWER_INNER_LIP].flip(1)).norm(
        dim=2
    ).mean(1, keepdim=True) / nose
    closed = (1 - apart / PARTED).clamp(0, 1)
    along = driving[:, landmarks.INNER_MOUTH_LEFT] - driving[:, landmarks.INNER_MOUTH_RIGHT]
    width = along.norm(dim=1, keepdim=True).clamp_min(1e-3)
    along = along / width
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    upper, lower = driving[:, landmarks.UPPER_INNER_LIP], driving[:, landmarks.LOWER_INNER_LIP].flip(1)
    height = ((lower - upper) * across[:, None]).sum(2).mean(1, keepdim=True).clamp_min(1e-3)
    away = positions[None] - driving[:, landmarks.INNER_LIPS].mean(1)[:, :, None]
    x = (away * along[:, :, None]).sum(1) / (0.5 * width)
    y = (away * across[:, :, None]).sum(1) / (0.55 * height)
    inside: Tensor = closed * ((1 - (x * x + y * y + 1e-6).sqrt()) * height / LIP_EDGE).clamp(0, 1)
    return inside


def beyond_face(points: Tensor, side: int) -> Tensor:
    """Return (B, 1, side, side) where pixels are only moved, not painted, 0 to 1.

    That is outside of the face. The network paints uncovered hair as a mixture of hair and background. With a
    matte the background needs no painting, and stretched hair still looks like hair.

    Args:
        points: (B, P, 2), of the pose.
    """
    beyond: Tensor = ((face_distance(points, side) - FACE_ENDS[0]) / (FACE_ENDS[1] - FACE_ENDS[0])).clamp(
        0, 1
    )
    return beyond


def face_distance(points: Tensor, side: int) -> Tensor:
    """Return each pixel's distance (B, 1, side, side) from the landmarks' middle.

    In half axes of the ellipse around the landmarks.
    """
    up = points[:, landmarks.FOREHEAD] - points[:, landmarks.CHIN]
    up = up / up.norm(dim=1, keepdim=True).clamp_min(1e-3)
    line = torch.linspace(-1, 1, side, device=points.device, dtype=points.dtype)
    squares = []
    for axis in (torch.stack([-up[:, 1], up[:, 0]], 1), up):
        face = (points * axis[:, None]).sum(2)
        low, high = face.amin(1, keepdim=True), face.amax(1, keepdim=True)
        # Column and row are added last, so only their sum has the size of the picture.
        scaled = 2 * axis / (high - low).clamp_min(1e-3)
        middle = (low + high) / (high - low).clamp_min(1e-3)
        across = scaled[:, :1] * line
        down = scaled[:, 1:] * line - middle
        squares.append((across[:, None] + down[:, :, None]).square())
    return (squares[0] + squares[1]).sqrt()[:, None]


def gaussian_matrix(side: int, sigma: float, like: Tensor) -> Tensor:
    """Return the (side, side) matrix that blurs columns when multiplied.

    Pixels outside do not count.
    """
    line = torch.arange(side, device=like.device, dtype=like.dtype)
    # Products of smaller numbers are subnormal, with which a processor is ten times as slow.
    weights = torch.exp((-0.5 * ((line[:, None] - line) / sigma) ** 2).clamp_min(-30))
    return weights / weights.sum(1, keepdim=True)

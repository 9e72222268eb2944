"""Losses of the face networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from avatar_app import landmarks as marks
from avatar_app.networks.faces import FINDER_STRIDE, Landmarks

GAPS = np.concatenate([marks.LID_PAIRS, marks.LIP_PAIRS, marks.OUTER_LIP_PAIRS])
SPANS = np.array(
    [
        (marks.MOUTH_RIGHT, marks.MOUTH_LEFT),
        (marks.INNER_MOUTH_RIGHT, marks.INNER_MOUTH_LEFT),
        (marks.RIGHT_EYE_OUTER, marks.RIGHT_EYE_INNER),
        (marks.LEFT_EYE_INNER, marks.LEFT_EYE_OUTER),
        (marks.RIGHT_BROW_MIDDLE, marks.RIGHT_LID),
        (marks.LEFT_BROW_MIDDLE, marks.LEFT_LID),
        (marks.RIGHT_BROW_OUTER, marks.RIGHT_EYE_OUTER),
        (marks.LEFT_BROW_OUTER, marks.LEFT_EYE_OUTER),
        (marks.RIGHT_BROW_INNER, marks.RIGHT_EYE_INNER),
        (marks.LEFT_BROW_INNER, marks.LEFT_EYE_INNER),
        (marks.NOSE_BASE, marks.UPPER_LIP),
        (marks.CHIN, marks.LOWER_LIP),
    ]
)
"""Further distances that an expression changes: mouth width, eye width, brow to lid, nose to lip, lip to
chin.
"""


def point_weights() -> Tensor:
    """Return the weight of each landmark, (88,).

    Lids, irises and inner lips most, the jaw's outline (which slides) least.
    """
    weight = torch.ones(marks.COUNT)
    weight[marks.JAW] = 0.5
    weight[marks.BROWS] = 1.2
    weight[marks.EYES] = 2.5
    weight[marks.OUTER_LIPS] = 1.6
    weight[marks.INNER_LIPS] = 2.5
    weight[marks.IRISES] = 1.5
    weight[marks.UPPER_OVAL] = 0.5
    return weight / weight.mean()


def _distance(points: Tensor, pairs: npt.NDArray[np.int64]) -> Tensor:
    first, second = torch.from_numpy(pairs).to(points.device).unbind(1)
    return points[:, second, :2] - points[:, first, :2]


def landmark_loss(out: Landmarks, points: Tensor, present: Tensor, beta: float = 0.01) -> dict[str, Tensor]:
    """Return the weighted terms of the landmark network's loss.

    Args:
        out: of B crops.
        points: (B, 88, 3) labels in [-1, 1] of the crop.
        present: (B,) 1 where the crop shows a face.
        beta: error (in crop halves) below which the loss is quadratic.
    """
    weight = point_weights().to(points.device)[:, None]
    shown = present[:, None, None]
    count = present.sum().clamp_min(1)

    def gap(error: Tensor) -> Tensor:
        return (
            functional.smooth_l1_loss(error * shown, torch.zeros_like(error), beta=beta, reduction="sum")
            / count
        )

    fine = (out.points[..., :2] - points[..., :2]) * weight
    coarse = (out.coarse[..., :2] - points[..., :2]) * weight
    depth = (out.points[..., 2:] - points[..., 2:]) * weight
    opening = _distance(out.points, GAPS) - _distance(points, GAPS)
    span = _distance(out.points, SPANS) - _distance(points, SPANS)
    return {
        "points": gap(fine) / 176,
        "coarse": gap(coarse) / 176,
        "depth": 0.25 * gap(depth) / 88,
        "openings": 1.5 * gap(opening) / (2 * len(GAPS)),
        "spans": 0.5 * gap(span) / (2 * len(SPANS)),
        "presence": 0.02 * functional.binary_cross_entropy_with_logits(out.presence, present),
    }


def finder_targets(faces: Tensor, ignored: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return target map (6, cells, cells) and weight map (cells, cells) of one scene.

    Both face lists are (N, 4) as in ``Scene``. A face is expected in the cells within a quarter of its size
    around its centre (at least the nearest cell); a ring around them does not count. The nearer face wins
    where two meet.
    """
    line = (torch.arange(cells) + 0.5) * FINDER_STRIDE - 0.5
    row, column = torch.meshgrid(line, line, indexing="ij")
    target = torch.zeros(6, cells, cells)
    weight = torch.ones(cells, cells)
    nearest = torch.full((cells, cells), 1e9)
    for x, y, size, _ in ignored.tolist():
        weight[(column - x).hypot(row - y) < max(0.5 * size, FINDER_STRIDE)] = 0
    for x, y, size, _ in faces.tolist():
        weight[(column - x).hypot(row - y) < max(0.36 * size, 1.3 * FINDER_STRIDE)] = 0
    for x, y, size, roll in faces.tolist():
        far = (column - x).hypot(row - y)
        inside = (far < max(0.17 * size, 0.75 * FINDER_STRIDE)) & (far < nearest)
        nearest[inside] = far[inside]
        angle = torch.tensor(roll)
        target[0, inside] = 1
        target[1, inside] = (x - column[inside]) / FINDER_STRIDE
        target[2, inside] = (y - row[inside]) / FINDER_STRIDE
        target[3, inside] = torch.log2(torch.tensor(size / FINDER_STRIDE))
        target[4, inside], target[5, inside] = angle.cos(), angle.sin()
        weight[inside] = 1
    return target, weight


def finder_loss(out: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Return the terms of the finder's loss for ``out`` and ``target`` (B, 6, H, W).

    Focal score, and offset, size and roll where there is a face.
    """
    score, truth = out[:, 0], target[:, 0]
    entropy = functional.binary_cross_entropy_with_logits(score, truth, reduction="none")
    chance = torch.sigmoid(score)
    hard = (truth * (1 - chance) + (1 - truth) * chance) ** 2
    inside = truth * weight
    count = inside.sum().clamp_min(1)

    def where(channels: slice, beta: float) -> Tensor:
        error = functional.smooth_l1_loss(out[:, channels], target[:, channels], beta=beta, reduction="none")
        return (error.sum(1) * inside).sum() / count

    return {
        "score": 4 * (entropy * hard * weight * (0.25 + 0.5 * truth)).sum() / count,
        "offset": 0.3 * where(slice(1, 3), 0.1),
        "size": 0.5 * where(slice(3, 4), 0.1),
        "roll": 0.5 * where(slice(4, 6), 0.1),
    }

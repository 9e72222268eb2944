"""The anchored network in the order that is fastest in ONNX Runtime on processors.

It computes the same as `anchored.AnchoredGenerator`, in another order:

- ``encode`` computes everything that depends on the photo alone (its sketch, the nearness of its anchors); -
sums over anchors are matrix products; the first softmax, over Gaussians alone, is never stored: they are
    separable;
- a sketch is stamped into an empty picture, a few rows a landmark, instead of drawn in full and compared; -
upsampling before a 3x3 convolution is four 2x2 convolutions, one for each position in the doubled pixel; -
the last layers work on four interleaved pictures of half the side, which `paint` makes, and weave them only
    as bytes;
- the photo itself is not moved here: that and the blending are for `composition`, in bytes.

Shapes: without batch unless it says (1, ...); K anchors, s the side of the dense motion (a quarter of the
picture's).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.networks.anchored.body_flow import beyond_face, opened_mouth, whole_head
from avatar_app.networks.anchored.dense_motion import DenseMotion, face_scale
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.anchored.pictures import resize, warp
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.painters import FaceRegions
from avatar_app.onnx_export.layers import PhaseConvolution, interleave_bytes
from avatar_app.onnx_export.painters import QuickFace
from avatar_app.onnx_export.photo import FAINTEST, PhotoFeatures, Sketch

FARTHEST = 60.0
"""Lower limit of anchors' logits, for the same reason; the softmax needs no other guard against overflow."""

LAYERS = ("painted", "alpha", "places")
"""Outputs of `PhotoRenderer`."""

REGIONS = ("mouth", "eyes", "frames")
"""Its additional outputs with painters: `PaintedFace`, crops as bytes."""


class FastMotion(nn.Module):
    """`anchored.DenseMotion`, faster.

    Photo and landmarks -> flow (1, 2, s, s), occlusion (1, 3, s, s), context (1, C, s/2, s/2), sketch.
    """

    grid: Tensor
    line: Tensor
    basis: Tensor
    still: Tensor

    def __init__(
        self, motion: DenseMotion, side: int, doubled: type[PhaseConvolution] = PhaseConvolution
    ) -> None:
        super().__init__()
        self.side, self.anchors = side, motion.anchors
        self.stem, self.down1, self.down2, self.middle = (
            motion.stem,
            motion.down1,
            motion.down2,
            motion.middle,
        )
        self.up1, self.up0 = doubled(motion.up1), doubled(motion.up0)
        self.merge1, self.merge0 = motion.merge1, motion.merge0
        self.mask, self.fine = motion.mask, motion.fine
        self.log_reach, self.rest = motion.log_reach, motion.rest
        self.sketch = Sketch(side)
        grid = coordinate_grid(side, side).permute(2, 0, 1)
        self.register_buffer("grid", grid[None], persistent=False)
        self.register_buffer("line", torch.linspace(-1, 1, side)[:, None], persistent=False)
        basis = torch.stack([(grid**2).sum(0), grid[0], grid[1], torch.ones(side, side)]).reshape(4, -1)
        self.register_buffer("basis", basis, persistent=False)
        # Columns of an affine map in the order of `candidates`; the last sums the weights.
        self.register_buffer("still", torch.tensor([1.0, 0, 0, 1, 0, 0, 1])[:, None], persistent=False)

    def forward(self, photo: PhotoFeatures, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        driving = points[0, self.anchors]
        reach = self.log_reach.exp() * face_scale(driving[None])[0, 0]
        sharpness = 0.5 / reach**2
        maps = self.candidates(photo, driving)
        coarse, resting = self.coarse(maps, driving, sharpness)
        sketch = self.sketch(points[0])
        moved = warp(photo.motion, coarse)
        x0 = self.stem(torch.cat([photo.motion, moved, photo.sketch, sketch, coarse - self.grid, resting], 1))
        x1 = self.down1(x0)
        x2 = self.middle(self.down2(x1))
        x1 = self.merge1(torch.cat([self.up1(x2), x1], 1))
        context = self.merge0(torch.cat([self.up0(x1), x0], 1))
        fine = resize(self.fine(context), self.side)
        weights = self.weights(self.mask(context), driving, sharpness)
        flow, _ = self.mixed(maps @ weights)
        return flow + 0.1 * fine[:, :2], torch.sigmoid(fine[:, 2:] + 2), context, sketch

    def candidates(self, photo: PhotoFeatures, driving: Tensor) -> Tensor:
        """Return the affine map z -> J z + o of each candidate motion, (7, K + 1).

        Rows are J00, J10, J01, J11, the offset and ones; the first column is the identity. The weighted
        covariances of `estimate_jacobians` are computed as means of products minus products of means.
        """
        source, here = photo.anchors, driving - driving.mean(0, keepdim=True)
        joint = (source[:, :, None] * here[:, None]).flatten(1)
        own = (here[:, :, None] * here[:, None]).flatten(1)
        means = photo.near @ torch.cat([source, here, joint, own], 1)
        mean_source, mean_here, mean_joint, mean_own = torch.split(means, [2, 2, 4, 4], 1)
        all_joint, all_own = mean_joint[-1:], mean_own[-1:]
        to_source, to_here = source - mean_source[:-1], here - mean_here[:-1]
        mean_joint = mean_joint[:-1] - _outer(mean_source[:-1], mean_here[:-1]) + _outer(to_source, to_here)
        mean_own = mean_own[:-1] - _outer(mean_here[:-1], mean_here[:-1]) + _outer(to_here, to_here)
        common = _divide(all_joint, all_own, 1e-4)
        jacobians = _divide(mean_joint + photo.ridge * common, mean_own, photo.ridge)
        a, b, c, d = torch.split(jacobians, 1, 1)
        x, y = torch.split(driving, 1, 1)
        moved = torch.cat([a * x + b * y, c * x + d * y], 1)
        offset = source + photo.middle - moved
        rows = torch.cat([a, c, b, d, offset, torch.ones_like(a)], 1).t()
        return torch.cat([self.still, rows], 1)

    def coarse(self, maps: Tensor, driving: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
        """Return the prior's flow (1, 2, s, s) and the background's alpha (1, 1, s, s)."""
        bells = torch.exp((-sharpness * (self.line[None] - driving.t()[:, None]) ** 2).clamp_min(FAINTEST))
        across, down = bells[0], bells[1]
        parts = (maps[:, None, 1:] * down[None]).reshape(-1, len(self.anchors)) @ across.t()
        resting = torch.exp(-self.rest)
        flow, total = self.mixed(parts.reshape(7, -1) + resting * maps[:, :1])
        return flow, resting / total

    def weights(self, logits: Tensor, driving: Tensor, sharpness: Tensor) -> Tensor:
        """Return the weights (K + 1, s * s) of the anchors, not divided by their sum.

        Args:
            logits: (1, K + 1, s/2, s/2), from the network.
        """
        x, y = torch.split(driving, 1, 1)
        steep = sharpness[:, None]
        bells = torch.cat([-steep, 2 * steep * x, 2 * steep * y, -steep * (x**2 + y**2)], 1)
        background = torch.cat([torch.zeros(1, 3), -self.rest.reshape(1, 1)], 1)
        learned = resize(logits, self.side).reshape(-1, self.side**2)
        prior = torch.cat([background, bells])
        weights: Tensor = torch.exp(torch.addmm(learned, prior, self.basis).clamp(-FARTHEST, FARTHEST))
        return weights

    def mixed(self, parts: Tensor) -> tuple[Tensor, Tensor]:
        """Average the maps (7, s * s) at each pixel, by weight.

        Returns flow (1, 2, s, s) and the sum of the weights (1, 1, s, s).
        """
        across, down, offset, total = torch.split(parts.reshape(1, 7, self.side, self.side), [2, 2, 2, 1], 1)
        x, y = torch.split(self.grid, 1, 1)
        return (across * x + down * y + offset) / total, total


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Multiply (K, 2) and (K, 2) to (K, 4), row-major."""
    return (left[:, :, None] * right[:, None]).flatten(1)


def _divide(joint: Tensor, own: Tensor, ridge: Tensor | float) -> Tensor:
    """Return joint @ inverse(own + ridge * identity) of row-major (K, 4).

    ``own`` is symmetric.
    """
    a, b, _, d = torch.split(own, 1, 1)
    a, d = a + ridge, d + ridge
    inverse = torch.cat([d, -b, -b, a], 1) / (a * d - b * b)
    left, right = joint.reshape(-1, 2, 2), inverse.reshape(-1, 2, 2)
    return (left[:, :, :, None] * right[:, None]).sum(2).flatten(1)


class PhotoRenderer(nn.Module):
    """Turn `PhotoFeatures` and landmarks into the parts of a picture.

    painted: (1, s, s, 3) and alpha: (1, s, s, 1), bytes, with s the networks' side; places: the sampling grid
    (2, S, S), column and row of the photo, with S the photo's side. With painters also mouth (1, h, w, 4),
    eyes (2, h, w, 4), bytes, and frames (3, 2, 3): `painters.PaintedFace`.
    """

    spread: Tensor
    places: Tensor

    def __init__(
        self, generator: AnchoredGenerator, doubled: type[PhaseConvolution] = PhaseConvolution
    ) -> None:
        super().__init__()
        self.size = generator.config.size
        self.photo_side = self.size * generator.config.detail
        self.calms = generator.matte is not None
        self.motion = FastMotion(generator.dense_motion, self.size // 4, doubled)
        self.regions = generator.regions
        self.face = None if generator.regions is None else QuickFace(generator.regions)
        self.bottleneck = generator.bottleneck
        self.up_quarter, self.up_half = (
            doubled(generator.up_quarter),
            doubled(generator.up_half),
        )
        self.merge_quarter, self.merge_half, self.paint = (
            generator.merge_quarter,
            generator.merge_half,
            generator.paint,
        )
        side = self.size // 4
        # Row r holds the weights of the flow's rows for pixel r.
        position = torch.arange(self.photo_side, dtype=torch.float64) * (side - 1) / (self.photo_side - 1)
        weight = (
            (1 - (position[:, None] - torch.arange(side, dtype=torch.float64)).abs()).clamp_min(0).float()
        )
        self.register_buffer("spread", weight, persistent=False)
        # In the order of the last layers: odd row, odd column, row, column.
        places = (
            coordinate_grid(self.size, self.size)
            .reshape(self.size // 2, 2, self.size // 2, 2, 2)
            .permute(4, 1, 3, 0, 2)
        )
        self.register_buffer("places", places.flatten(1), persistent=False)

    def layers(self, photo: PhotoFeatures, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return painted (3, 2, 2, s/2, s/2) and alpha (1, 2, 2, s/2, s/2) in [0, 1].

        Channel, odd row, odd column; flow (1, 2, s/4, s/4).
        """
        flow, occlusion, context, sketch = self.motion(photo, points)
        if self.calms:
            flow = whole_head(flow, photo.body, photo.skull, points, photo.points)
        half, eighth = self.size // 2, self.size // 8
        x = warp(photo.eighth, flow) * resize(occlusion[:, 0:1], eighth)
        x = self.up_quarter(self.bottleneck(torch.cat([x, context], 1)))
        kept = warp(photo.quarter, flow) * occlusion[:, 1:2]
        x = self.up_half(self.merge_quarter(torch.cat([x, kept, sketch], 1)))
        moved = warp(photo.half, resize(flow, half))
        kept = moved[:, :-3] * resize(occlusion[:, 2:3], half)
        parts = self.paint(self.merge_half(torch.cat([x, kept, moved[:, -3:]], 1))).reshape(
            4, 2, 2, half, half
        )
        alpha = torch.sigmoid(parts[3:] + 1)
        if self.regions is None:
            alpha = alpha * (1 - opened_mouth(photo.points, points, self.places).reshape(1, 2, 2, half, half))
        if self.calms:
            alpha = torch.maximum(alpha, resize(beyond_face(points, self.size // 4), half)[:, :, None])
        return torch.sigmoid(parts[:3]), alpha, flow

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        count = len(PhotoFeatures._fields)
        photo, points, *code = PhotoFeatures(*tensors[:count]), *tensors[count:]
        # NaNs in points must give a wrong picture, not an index outside of it.
        points = torch.where(torch.isnan(points), torch.zeros_like(points), points)
        painted, alpha, flow = self.layers(photo, points)
        shown = interleave_bytes(painted), interleave_bytes(alpha), self.enlarged(flow)
        if self.face is None:
            return shown
        known = FaceRegions(*photo[-len(FaceRegions._fields) :])
        return *shown, *self.face(known, photo.pixels, flow, points, *code)

    def enlarged(self, flow: Tensor) -> Tensor:
        """Convert a flow (1, 2, s, s) to a sampling grid (2, S, S) in pixels of the photo."""
        pixels = (flow[0] + 1) * ((self.photo_side - 1) / 2)
        grid: Tensor = self.spread @ pixels @ self.spread.t()
        return grid

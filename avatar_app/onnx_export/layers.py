"""Layers in the form that ONNX Runtime computes fastest on processors."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


class PhaseConvolution(nn.Module):
    """Upsample by 2, convolve 3x3, normalise, ReLU, without upsampled maps.

    An output pixel of an even row depends on two rows of the input: the one above it once and its own twice;
    in an odd row vice versa. Each of the four positions in a doubled pixel thus has a 2x2 kernel of its own,
    and a convolution of four times the channels at the small size computes them all, with 16 instead of 36
    multiplications.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        """Take a convolution and its batch norm; a ReLU must follow them."""
        super().__init__()
        convolution, norm = islice(layers, 2)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(convolution, norm)
        assert fused.bias is not None
        # The kernel's rows for an odd row, the second of a pair, and for the even row after it.
        sums = torch.tensor([[[1.0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
        phases = torch.einsum("pkr,ocrs,qls->pqockl", sums, fused.weight.detach(), sums)
        self.outputs = fused.out_channels
        self.register_buffer("weight", phases.flatten(0, 2), persistent=False)
        self.register_buffer("bias", fused.bias.detach().repeat(4), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(1, C, h, w) -> (1, outputs, 2 h, 2 w)."""
        height, width = (int(side) for side in maps.shape[2:])
        phases = functional.relu(functional.conv2d(maps, self.weight, self.bias, padding=1))
        # Position p holds rows 2 p - 1 and 2 p of the output.
        pixels = phases.permute(0, 2, 3, 1).reshape(height + 1, width + 1, 2, 2 * self.outputs)
        woven = pixels.permute(0, 2, 1, 3).reshape(1, 2 * height + 2, 2 * width + 2, self.outputs)
        return woven[:, 1:-1, 1:-1].permute(0, 3, 1, 2)


class QuadConvolution(nn.Module):
    """A convolution of few outputs, four neighbouring pixels at once.

    ONNX Runtime computes 8 or 16 outputs in the time of one. Four pixels' outputs fill them: a kernel one
    larger with a stride of two, in which each of the four has the original one in another corner.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take a convolution of odd side that keeps the size; maps must have even sides."""
        super().__init__()
        outputs, inputs, side = convolution.weight.shape[:3]
        assert convolution.bias is not None
        weight = torch.zeros(outputs, 2, 2, inputs, side + 1, side + 1)
        for down in range(2):
            for across in range(2):
                weight[:, down, across, :, down : down + side, across : across + side] = (
                    convolution.weight.detach()
                )
        self.conv = nn.Conv2d(inputs, 4 * outputs, side + 1, stride=2, padding=side // 2)
        self.conv.weight.data = weight.flatten(0, 2)
        self.conv.bias.data = convolution.bias.detach().repeat_interleave(4)  # type: ignore[union-attr]

    def forward(self, maps: Tensor) -> Tensor:
        """(1, C, 2 h, 2 w) -> (1, outputs, 2 h, 2 w)."""
        return functional.pixel_shuffle(self.conv(maps), 2)


class HighestRows(torch.autograd.Function):
    """See `highest_rows`."""

    @staticmethod
    def forward(_: Any, positions: Tensor, rows: Tensor, height: int) -> Tensor:
        empty = torch.zeros(height, rows.shape[1])
        return empty.scatter_reduce(0, positions.expand_as(rows), rows, "amax")

    @staticmethod
    def symbolic(graph: Any, positions: Any, rows: Any, height: int) -> Any:
        shape = torch.tensor([height, rows.type().sizes()[1]])
        empty = graph.op("ConstantOfShape", graph.op("Constant", value_t=shape))
        return graph.op("ScatterND", empty, positions, rows, reduction_s="max")


def highest_rows(positions: Tensor, rows: Tensor, height: int) -> Tensor:
    """Stamp rows (N, w) into a picture (height, w) of zeros at ``positions`` (N, 1).

    Where several meet, the highest value counts.
    """
    drawn: Tensor = HighestRows.apply(positions, rows, height)  # type: ignore[no-untyped-call]
    return drawn


def weave_bytes(levels: Tensor) -> Tensor:
    """Weave four interleaved pictures (B, 4 C, h, w) into bytes (B, 2 h, 2 w, C).

    They are in [0, 255], and rounded. Channels are by odd row, odd column and channel.
    """
    copies, count, height, width = (int(size) for size in levels.shape)
    rows = (levels + 0.5).to(torch.uint8).reshape(2 * copies, count // 2, height * width).transpose(1, 2)
    woven = rows.reshape(copies, 2, height, width * count // 2).transpose(1, 2)
    return woven.reshape(copies, 2 * height, 2 * width, count // 4)


def interleave_bytes(parts: Tensor) -> Tensor:
    """Interleave four pictures (C, 2, 2, h, w) in [0, 1] into bytes (1, 2 h, 2 w, C).

    By channel, row parity and column parity; rounded.
    """
    channels, (height, width) = parts.shape[0], parts.shape[3:]
    levels = (parts.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    # Transposed two dimensions at a time: as bytes, and in runs of whole rows if possible.
    planes, run = 2 * channels, height * width
    rows = [
        levels[:, odd].transpose(0, 1).reshape(planes, run).t().reshape(height, 1, width * planes)
        for odd in range(2)
    ]
    return torch.cat(rows, 1).reshape(1, 2 * height, 2 * width, channels)

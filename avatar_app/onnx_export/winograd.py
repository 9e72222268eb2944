"""Compute the original's decoder with less than half of its multiplications.

Winograd's minimal filtering (Lavin and Gray 2016). A tile of 4x4 outputs of a 3x3 convolution depends on a
window of 6x6 inputs. Windows and kernels are transformed to 36 values each, multiplied one by one, and summed
over the channels: 36 instead of 144 multiplications a tile. ONNX Runtime has no such convolution; it is
expressed by operations that are fast there: gathering rows, and matrix products.

Between convolutions maps are rows (R, C), the channels of one pixel each, in the order in which the last
convolution left them, and the indices (H, W) of the pixels' rows, which are constants of the graph. The last
row is zeros and represents everything beyond the map.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avatar_app.networks.blocks import ResidualBlock, UpBlock
from avatar_app.onnx_export.layers import PhaseConvolution

TILE = 4
POINTS = (0, 1, -1, 2, -2)
"""Points at which the polynomials are evaluated, beside infinity: small numbers, to lose little in
float32.
"""


def fits(height: int, width: int) -> bool:
    """Whether a map of that size consists of whole tiles."""
    return height % TILE == 0 and width % TILE == 0


class TiledDecoder(nn.Module):
    """`ResidualBlock`s and the `UpBlock`s after them, for a map that `fits`."""

    def __init__(self, residual: Iterable[nn.Module], up: Iterable[nn.Module]) -> None:
        super().__init__()
        self.residual = nn.ModuleList(
            _TiledResidual(block) for block in residual if isinstance(block, ResidualBlock)
        )
        self.up = nn.ModuleList(_TiledUp(block) for block in up if isinstance(block, UpBlock))

    def forward(self, maps: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C', 2**n H, 2**n W)."""
        channels, height, width = (int(side) for side in maps.shape[1:])
        positions = _in_tiles(height, width)
        rows = (
            maps.reshape(channels, height * width)
            .t()
            .index_select(0, torch.from_numpy(np.argsort(positions, axis=None)))
        )
        rows = torch.cat([rows, torch.zeros(height * width // TILE**2, channels)])
        windows = _windows(positions, len(rows) - 1, 3)
        for block in self.residual:
            rows = block(rows, windows)
        for block in self.up:
            rows, positions = block(rows, positions)
        pixels = rows.index_select(0, torch.from_numpy(positions.reshape(-1)))
        return pixels.reshape(1, *positions.shape, rows.shape[1]).permute(0, 3, 1, 2)


class _TiledResidual(nn.Module):
    scale: Tensor
    shift: Tensor

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        norm = block.norm1
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer(
            "shift", _on_pixels(norm.bias.detach() - norm.running_mean * scale), persistent=False
        )
        fused = fuse_conv_bn_eval(block.conv1, block.norm2)
        assert fused.bias is not None
        assert block.conv2.bias is not None
        self.conv1 = TiledConvolution(fused.weight, fused.bias)
        self.conv2 = TiledConvolution(block.conv2.weight, block.conv2.bias)

    def forward(self, rows: Tensor, windows: Tensor) -> Tensor:
        channels = rows.shape[1]
        seen = functional.relu(rows.reshape(TILE**2 + 1, -1, channels) * self.scale + self.shift)
        inner = functional.relu(self.conv1(seen.reshape(-1, channels), windows))
        return torch.add(self.conv2(inner, windows), rows)


class _TiledUp(nn.Module):
    """A `PhaseConvolution` on rows."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        phases = PhaseConvolution([block.conv, block.norm])
        self.conv, self.outputs = TiledConvolution(phases.weight, phases.bias), phases.outputs

    def forward(self, rows: Tensor, positions: np.ndarray) -> tuple[Tensor, np.ndarray]:
        height, width = positions.shape
        tiles_down, tiles_across = height // TILE + 1, width // TILE + 1
        # One more position than pixels, in whole tiles.
        beyond = np.full((TILE * tiles_down, TILE * tiles_across), len(rows) - 1)
        beyond[:height, :width] = positions
        found = functional.relu(self.conv(rows, _windows(beyond, len(rows) - 1, 2)))
        # Position p holds pixels 2 p - 1 and 2 p of the output.
        (down, odd_down), (across, odd_across) = (
            np.divmod(np.arange(2 * side) + 1, 2) for side in (height, width)
        )
        position = _in_tiles(*beyond.shape)[np.ix_(down, across)]
        return found.reshape(-1, self.outputs), 4 * position + 2 * odd_down[:, None] + odd_across


class TiledConvolution(nn.Module):
    """A convolution in tiles of 4x4 outputs, on rows."""

    kernels: Tensor
    bias: Tensor
    of_window: Tensor
    of_products: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Take weights (O, C, n, n) and bias (O)."""
        super().__init__()
        self.outputs, inputs, taps = weight.shape[:3]
        self.window = (TILE + taps - 1) ** 2
        of_kernel, of_window, of_products = (np.kron(matrix, matrix) for matrix in minimal_filter(TILE, taps))
        values = weight.detach().double().permute(2, 3, 1, 0).reshape(taps**2, -1)
        kernels = (torch.from_numpy(of_kernel) @ values).reshape(self.window, inputs, self.outputs)
        self.register_buffer("kernels", kernels.float(), persistent=False)
        self.register_buffer("bias", _on_pixels(bias.detach()), persistent=False)
        # The last rows, zeros, come with the results.
        of_products = np.vstack([of_products, np.zeros((1, self.window))])
        self.register_buffer("of_window", torch.from_numpy(of_window).float(), persistent=False)
        self.register_buffer("of_products", torch.from_numpy(of_products).float(), persistent=False)

    def forward(self, rows: Tensor, windows: Tensor) -> Tensor:
        """Convolve rows (R, C) with the windows of T tiles (`_windows`) -> rows (17 T, O).

        First the tiles' upper left pixels, then the next.
        """
        tiles = len(windows) // self.window
        seen = rows.index_select(0, windows).reshape(self.window, -1)
        products = (self.of_window @ seen).reshape(self.window, tiles, -1) @ self.kernels
        found = (self.of_products @ products.reshape(self.window, -1)).reshape(
            -1, tiles, self.outputs
        ) + self.bias
        return found.reshape(-1, self.outputs)


def minimal_filter(outputs: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices of a minimal filter (Toom and Cook).

    They transform a kernel of ``taps``, a window and their products into ``outputs`` neighbouring results.

    Returns:
        For a kernel (n, taps), a window (n, n), products (outputs, n), with n = outputs + taps - 1.
    """
    points = np.array(POINTS[: outputs + taps - 2], np.float64)
    of_kernel, of_products = (
        np.vstack([np.vander(points, degree, increasing=True), np.eye(degree)[-1]])
        for degree in (taps, outputs)
    )
    of_kernel[:-1] /= (points[:, None] - points + np.eye(len(points))).prod(1, keepdims=True)
    # Result k must be the sum of tap j times pixel k + j: equations that have one solution.
    pairs = np.einsum("ik,ij->kji", of_products, of_kernel).reshape(outputs * taps, -1)
    wanted = np.array([np.eye(len(of_kernel))[k + j] for k in range(outputs) for j in range(taps)])
    return of_kernel, np.linalg.lstsq(pairs, wanted, rcond=None)[0], of_products.T


def _in_tiles(height: int, width: int) -> np.ndarray:
    """Return the index of each pixel's row after a `TiledConvolution`, (H, W)."""
    down, across = np.mgrid[:height, :width]
    pixel, tile = down % TILE * TILE + across % TILE, down // TILE * (width // TILE) + across // TILE
    positions: np.ndarray = pixel * (height * width // TILE**2) + tile
    return positions


def _windows(positions: np.ndarray, beyond: int, taps: int) -> Tensor:
    """Return the row indices of the tiles' windows.

    The upper left ones of all, then the next; ``beyond`` outside of the map.
    """
    height, width = positions.shape
    around = np.pad(positions, 1, constant_values=beyond)
    side = range(TILE + taps - 1)
    corners = [
        around[down : down + height : TILE, across : across + width : TILE]
        for down in side
        for across in side
    ]
    return torch.from_numpy(np.stack(corners).reshape(-1))


def _on_pixels(values: Tensor) -> Tensor:
    """Return a bias (17, 1, C) for each channel of a pixel's row.

    0 for the last rows.
    """
    return torch.cat([values.detach().expand(TILE**2, 1, -1), torch.zeros(1, 1, len(values))])

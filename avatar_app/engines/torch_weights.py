"""A bundle's networks with its weights, and the quicker form of them that a graphics card runs."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avatar_app.bundle import Bundle
from avatar_app.errors import BundleError
from avatar_app.networks.blocks import ResidualBlock, SameBlock
from avatar_app.networks.graphs import AnchoredRender, FommRender, Graph, MotionGraphs, build_graphs

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"

WORST_CHANGE = 0.02
"""Mean difference from the plain float32 picture, in [0, 1], from which a quicker form is not used: float16 has overflowed."""


def load_graphs(bundle: Bundle, device: torch.device) -> MotionGraphs:
    """The bundle's networks with its weights, in float32.

    Raises:
        BundleError: the weights do not fit the bundle's configuration.
    """
    graphs = build_graphs(bundle.kind, bundle.config, bundle.size)
    try:
        graphs.model.load_state_dict(load_file(bundle.file(WEIGHTS)))
    except (RuntimeError, SafetensorError) as error:
        raise BundleError(f"The weights of the model {bundle.name} do not fit its description.", "Import it again.") from error
    graphs.model.to(device)
    return graphs


def run(graph: Graph, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Feed a graph what it lists."""
    outputs = graph.module(*(tensors[name] for name in graph.inputs))
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


@torch.inference_mode()
def quickest(graphs: MotionGraphs) -> MotionGraphs:
    """The quickest form of the graphs that makes the same pictures: float16 if they can, else float32, else the graphs as they are."""
    expected = _trial_picture(graphs)
    for kind in (torch.float16, torch.float32) if graphs.can_halve else (torch.float32,):
        try:
            quick = quickened(graphs, kind)
            change = (_trial_picture(quick) - expected).abs().mean().item()
        except RuntimeError:  # no kernel for it, or no memory
            log.warning("the networks cannot be computed in %s", kind, exc_info=True)
            continue
        if change < WORST_CHANGE:  # a NaN is never smaller
            return quick
        log.warning("the networks in %s change the picture by %.3g and are not used", kind, change)
    return graphs


def quickened(graphs: MotionGraphs, kind: torch.dtype) -> MotionGraphs:
    """A copy with normalisation folded into convolutions, channels innermost in memory, and weights of this type.

    A tensor core takes the channels of a pixel at once, so cuDNN would turn every map round if they did not lie side by side.
    """
    quick = copy.deepcopy(graphs)
    fold_norms(quick.model)
    quick.model.to(dtype=kind, memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack this argument
    return quick


def fold_norms(model: nn.Module) -> None:
    """Let each convolution do the normalisation that follows it, in place: two numbers a channel, known once training is over."""
    for block in model.modules():
        if isinstance(block, SameBlock):
            _fold(block, "conv", "norm")
        elif isinstance(block, ResidualBlock):
            _fold(block, "conv1", "norm2")  # the other normalisation has no convolution before it
        elif isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                if isinstance(block[index], nn.Conv2d) and isinstance(block[index + 1], nn.BatchNorm2d):
                    _fold(block, str(index), str(index + 1))


def _fold(block: nn.Module, convolution: str, norm: str) -> None:
    before, after = block.get_submodule(convolution), block.get_submodule(norm)
    assert isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
    setattr(block, convolution, fuse_conv_bn_eval(before, after))
    setattr(block, norm, nn.Identity())


def trial_image(size: int, seed: int = 0) -> Tensor:
    """A picture of coarse noise, uint8 (1, size, size, 3)."""
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    picture = nn.functional.interpolate(noise, size=(size, size), mode="bilinear") * 255
    return picture.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def trial_points(count: int, seed: int = 0) -> Tensor:
    """Points on a spiral, (1, count, 2) in [-1, 1]: no two alike, so that nothing divides by zero."""
    step = torch.arange(count, dtype=torch.float32)
    radius = 0.2 + 0.5 * step / count
    return torch.stack([radius * torch.cos(step), radius * torch.sin(step)], dim=-1)[None] + 0.02 * seed


def _trial_picture(graphs: MotionGraphs) -> Tensor:
    """What the graphs make of noise moved a little, before rounding."""
    device = next(graphs.model.parameters()).device
    tensors = {"image": trial_image(graphs.size).to(device), "points": trial_points(graphs.points).to(device)}
    found = {"value": tensors["points"]}
    if graphs.detect is not None:
        found = dict(zip(graphs.detect.outputs, run(graphs.detect, tensors), strict=True))
    tensors |= dict(zip(graphs.encode.outputs, run(graphs.encode, tensors), strict=True))
    tensors |= {f"source_{name}": value for name, value in found.items()}
    tensors |= {f"driving_{name}": value for name, value in found.items()}
    tensors["driving_value"] = found["value"] + 0.05
    assert isinstance(graphs.render.module, FommRender | AnchoredRender)
    return graphs.render.module.picture(*(tensors[name] for name in graphs.render.inputs)).float()

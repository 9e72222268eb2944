"""Load a bundle's networks and find the fastest form for a graphics card."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avatar_app.bundles.bundle import Bundle
from avatar_app.errors import BundleError
from avatar_app.networks.blocks import ResidualBlock, SameBlock
from avatar_app.networks.graphs import Graph, MotionGraphs, Render, build_graphs
from avatar_app.text import Text
from avatar_app.types import NO_EXPRESSION

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"

WORST_CHANGE = 0.02
"""Mean difference from the float32 picture, in [0, 1], from which a faster form is rejected: float16 has
overflowed.
"""

FASTER = 0.8
"""Time relative to a preferred form below which another one is chosen."""


@dataclass(frozen=True, slots=True)
class TensorFormat:
    """How tensors are stored: their type, and the innermost dimension of images."""

    kind: torch.dtype
    layout: torch.memory_format


def load_graphs(bundle: Bundle, device: torch.device) -> MotionGraphs:
    """Load the bundle's networks with its weights, in float32.

    Raises:
        BundleError: the weights do not fit the bundle's configuration.
    """
    graphs = build_graphs(bundle.kind, bundle.config, bundle.size)
    try:
        graphs.model.load_state_dict(load(bundle.read(WEIGHTS)))
    except (RuntimeError, SafetensorError) as error:
        raise BundleError(
            Text("The weights of the model {} do not fit its description.", bundle.name),
            Text("Import it again."),
        ) from error
    graphs.model.to(device)
    return graphs


def run(graph: Graph, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Run a graph on the tensors that it lists."""
    outputs = graph.module(*(tensors[name] for name in graph.inputs))
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


@torch.inference_mode()
def quickest(graphs: MotionGraphs) -> MotionGraphs:
    """Return the fastest form of the graphs that renders the same pictures.

    The graphs themselves if there is none.
    """
    expected = _trial_picture(graphs)
    card = capability(graphs)
    tried = formats(card, graphs.can_halve)
    chosen, least = graphs, float("inf")
    for form in tried:
        try:
            quick = quickened(graphs, form.kind, form.layout)
            change = (_trial_picture(quick) - expected).abs().mean().item()
            if not change < WORST_CHANGE:  # a NaN is never smaller
                log.warning(
                    "the networks in %s change the picture by %.3g and are not used", form.kind, change
                )
                continue
            if all_have_tensor_cores(card) or len(tried) == 1:
                return quick
            seconds = trial_seconds(quick)
        except RuntimeError:  # no kernel for it, or no memory
            log.warning("the networks cannot be computed in %s", form.kind, exc_info=True)
            continue
        if seconds < least * FASTER:
            chosen, least = quick, seconds
    return chosen


def capability(graphs: MotionGraphs) -> tuple[int, int] | None:
    """Return the generation of the networks' card; None on the processor."""
    device = next(graphs.model.parameters()).device
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def all_have_tensor_cores(card: tuple[int, int] | None) -> bool:
    """Whether all cards of this generation have tensor cores.

    The processor, on which those formats are tested, counts as one.
    """
    return card is None or card >= (8, 0)


def formats(card: tuple[int, int] | None, can_halve: bool) -> list[TensorFormat]:
    """Return formats that may be the fastest, likeliest first.

    Tensor cores want channels innermost; those of generation 8 multiply float32 too, rounded. Some cards of
    generation 7 have them, for float16 only, and on the others that layout takes many times longer, which a
    trial shows. Older cards are slow in float16.
    """
    half, single = torch.float16, torch.float32
    innermost, outermost = torch.channels_last, torch.contiguous_format
    if all_have_tensor_cores(card):
        found = [TensorFormat(half, innermost), TensorFormat(single, innermost)]
    elif card is not None and card >= (7, 0):
        found = [
            TensorFormat(half, innermost),
            TensorFormat(half, outermost),
            TensorFormat(single, outermost),
        ]
    else:
        found = [TensorFormat(single, outermost)]
    return [form for form in found if can_halve or form.kind == single]


def trial_seconds(graphs: MotionGraphs) -> float:
    """Return the time of the trial picture, the best of three after a warm-up."""
    return min(_once(graphs) for _ in range(3))


def _once(graphs: MotionGraphs) -> float:
    began = time.perf_counter()
    _trial_picture(graphs).sum().item()  # which waits for the device
    return time.perf_counter() - began


def quickened(
    graphs: MotionGraphs, kind: torch.dtype, layout: torch.memory_format = torch.channels_last
) -> MotionGraphs:
    """Copy a network with folded norms, in this type and memory layout.

    A tensor core takes the channels of a pixel at once, so cuDNN would transpose every map if they were not
    contiguous. Pictures come with channels innermost, and convolutions keep their input's layout: for the
    other layout it is changed before the first of them.
    """
    quick = copy.deepcopy(graphs)
    fold_norms(quick.model)
    quick.model.to(dtype=kind, memory_format=layout)  # type: ignore[call-overload]  # its stubs lack this argument
    if layout == torch.contiguous_format:
        for part in quick.model.modules():
            if isinstance(part, nn.Conv2d):
                part.register_forward_pre_hook(_with_channels_outermost)
    return quick


def _with_channels_outermost(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(maps.contiguous() for maps in inputs)


def fold_norms(model: nn.Module) -> None:
    """Fold each norm into the convolution before it, in place.

    A norm is two constants for each channel once training is over.
    """
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
    """Return a picture of coarse noise, uint8 (1, size, size, 3)."""
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    picture = nn.functional.interpolate(noise, size=(size, size), mode="bilinear") * 255
    return picture.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def trial_points(count: int, seed: int = 0) -> Tensor:
    """Return distinct points on a spiral, (1, count, 2) in [-1, 1]."""
    step = torch.arange(count, dtype=torch.float32)
    radius = 0.2 + 0.5 * step / count
    return torch.stack([radius * torch.cos(step), radius * torch.sin(step)], dim=-1)[None] + 0.02 * seed


def trial_tensors(graphs: MotionGraphs) -> dict[str, Tensor]:
    """Return all inputs of the graphs by name: a photo of noise, moved slightly."""
    device = next(graphs.model.parameters()).device
    tensors = {"image": trial_image(graphs.size).to(device), "points": trial_points(graphs.points).to(device)}
    found = {"value": tensors["points"]}
    if graphs.detect is not None:
        found = dict(zip(graphs.detect.outputs, run(graphs.detect, tensors), strict=True))
    tensors |= dict(zip(graphs.encode.outputs, run(graphs.encode, tensors), strict=True))
    tensors |= {f"source_{name}": value for name, value in found.items()}
    tensors |= {f"driving_{name}": value for name, value in found.items()}
    placed = next(iter(found))  # their device, or the code's
    tensors[f"driving_{placed}"] = found[placed] + 0.05
    tensors["driving_expression"] = torch.from_numpy(NO_EXPRESSION).to(device)[None]
    return tensors


def _trial_picture(graphs: MotionGraphs) -> Tensor:
    """Render the trial's noise, before rounding."""
    tensors = trial_tensors(graphs)
    assert isinstance(graphs.render.module, Render)
    return graphs.render.module.picture(*(tensors[name] for name in graphs.render.inputs)).float()

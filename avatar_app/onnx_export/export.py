"""Turn graphs into the weights and ONNX files of a bundle."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.blocks import UpBlock
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.graphs import (
    FommDetect,
    FommEncode,
    FommRender,
    Graph,
    MonkeyDetect,
    MonkeyEncode,
    MonkeyRender,
    MotionGraphs,
    driving_inputs,
)
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.onnx_export.anchored import LAYERS, REGIONS, PhotoRenderer
from avatar_app.onnx_export.layers import PhaseConvolution, QuadConvolution
from avatar_app.onnx_export.photo import PHOTO_LAYERS, PhotoEncoder, PhotoFeatures
from avatar_app.onnx_export.tuning import tune
from avatar_app.onnx_export.webgpu import OPSET as WEBGPU_OPSET
from avatar_app.onnx_export.webgpu import PICTURE, divide, for_webgpu
from avatar_app.onnx_export.winograd import TiledDecoder, fits
from avatar_app.types import NO_EXPRESSION

OPSET = 20
WEIGHTS = "weights.safetensors"


def write_onnx(graphs: MotionGraphs, folder: Path, half: bool = False) -> None:
    """Write ``encode.onnx``, ``render.onnx``, ``detect.onnx`` and `webgpu`'s files.

    In float32; ``detect.onnx`` only if the model has a detector.

    Args:
        half: keep the card's weights in float16.
    """
    on_webgpu = for_webgpu(graphs)
    graphs = for_processors(graphs)
    image = torch.zeros(1, graphs.size, graphs.size, 3, dtype=torch.uint8)
    tensors: dict[str, Tensor] = {"image": image} | example_poses(graphs.points)
    with torch.inference_mode():
        outputs = graphs.encode.module(*(tensors[name] for name in graphs.encode.inputs))
    tensors |= dict(zip(graphs.encode.outputs, (output.clone() for output in outputs), strict=True))
    for name, graph in (("encode", graphs.encode), ("detect", graphs.detect), ("render", graphs.render)):
        if graph is not None:
            _trace(graph, tensors, folder / f"{name}.onnx")
            tune(folder / f"{name}.onnx")
    tensors[PICTURE] = image.permute(0, 3, 1, 2).float()
    _trace(on_webgpu, tensors, folder / "card.onnx", WEBGPU_OPSET)
    divide(folder / "card.onnx", half)


def for_processors(graphs: MotionGraphs) -> MotionGraphs:
    """Return the graphs in the order that ONNX Runtime computes fastest.

    ``encode`` may pass ``render`` more than before.
    """
    if isinstance(graphs.model, Fomm):
        return _with_fewer_multiplications(graphs, graphs.model)
    if isinstance(graphs.model, MonkeyNet):
        return _with_phases(graphs, graphs.model)
    if not isinstance(graphs.model, AnchoredGenerator):
        return graphs
    features = tuple(f"features_{name}" for name in PhotoFeatures._fields)
    encode = Graph(PhotoEncoder(graphs.model).eval(), graphs.encode.inputs, (*features, *PHOTO_LAYERS))
    layers = LAYERS if graphs.model.regions is None else (*LAYERS, *REGIONS)
    return replace(
        graphs,
        encode=encode,
        render=Graph(PhotoRenderer(graphs.model).eval(), (*features, *driving_inputs(graphs.model)), layers),
    )


def _with_fewer_multiplications(graphs: MotionGraphs, model: Fomm) -> MotionGraphs:
    """Rewrite the original networks with fewer multiplications.

    The decoder works in tiles, with `PhaseConvolution`s after upsampling.
    """
    quick = copy.deepcopy(model)
    generator = quick.generator
    side = graphs.size >> len(generator.down_blocks)
    if fits(side, side):
        tiled = TiledDecoder(generator.bottleneck, generator.up_blocks)
        generator.bottleneck, generator.up_blocks = nn.Sequential(tiled), nn.ModuleList()
    generator.add_module("final", QuadConvolution(generator.final))
    _replace_up_blocks(quick)
    encode, render = (
        replace(graphs.encode, module=FommEncode(quick.generator)),
        replace(graphs.render, module=FommRender(quick.generator)),
    )
    detect = None if graphs.detect is None else replace(graphs.detect, module=FommDetect(quick.kp_detector))
    return replace(graphs, model=quick, encode=encode, detect=detect, render=render)


def _with_phases(graphs: MotionGraphs, model: MonkeyNet) -> MotionGraphs:
    """Rewrite Monkey-Net with `PhaseConvolution`s after upsampling."""
    quick = copy.deepcopy(model)
    _replace_up_blocks(quick)
    return replace(
        graphs,
        model=quick,
        encode=replace(graphs.encode, module=MonkeyEncode(quick.generator)),
        detect=None
        if graphs.detect is None
        else replace(graphs.detect, module=MonkeyDetect(quick.kp_detector)),
        render=replace(graphs.render, module=MonkeyRender(quick.generator)),
    )


def _replace_up_blocks(model: nn.Module) -> None:
    for layer in list(model.modules()):
        for name, block in list(layer.named_children()):
            if isinstance(block, UpBlock):
                setattr(layer, name, PhaseConvolution([block.conv, block.norm]))


def example_points(count: int) -> tuple[Tensor, Tensor]:
    """Return values and Jacobians of distinct points on a spiral."""
    step = torch.arange(count, dtype=torch.float32)
    radius = 0.2 + 0.5 * step / count
    value = torch.stack([radius * torch.cos(step), radius * torch.sin(step)], dim=-1)
    return value[None], torch.eye(2).repeat(1, count, 1, 1)


def example_poses(count: int) -> dict[str, Tensor]:
    """Return all parts of the photo's and the driver's key points, by name."""
    value, jacobian = example_points(count)
    parts = {
        "value": value,
        "jacobian": jacobian,
        "variance": 0.01 * jacobian,
        "code": value.flatten(1)[:, :count],
        "expression": torch.from_numpy(NO_EXPRESSION)[None],
    }
    named = {f"{whose}_{name}": part for whose in ("source", "driving") for name, part in parts.items()}
    return {"points": value, **named}


def _trace(graph: Graph, tensors: dict[str, Tensor], path: Path, opset: int = OPSET) -> None:
    with warnings.catch_warnings():
        # The tracing exporter is deprecated; it needs no package but onnx, and takes a fifth of the newer
        # one's time.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module,
            tuple(tensors[name] for name in graph.inputs),
            str(path),
            opset_version=opset,
            dynamo=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
        )


def write_motion_files(graphs: MotionGraphs, folder: Path, half: bool = False) -> None:
    """Write a motion model's weights and ONNX files, without description and card.

    Args:
        half: round convolution weights to float16, in the graphs too, so that every engine makes the same
            pictures.

    Raises:
        OSError: the folder cannot be written.
    """
    weights = {name: value.contiguous() for name, value in graphs.model.state_dict().items()}
    if half:
        # Normalisation constants are few and can exceed the range.
        weights = {
            name: value.half() if value.is_floating_point() and value.ndim > 1 else value
            for name, value in weights.items()
        }
        graphs.model.load_state_dict(weights)
    # As bytes: the library's own function writes a file that only its owner can read.
    (folder / WEIGHTS).write_bytes(save(weights))
    write_onnx(graphs, folder, half)

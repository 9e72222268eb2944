"""Motion models for graphics cards that ONNX Runtime reaches through WebGPU.

Two files replace ``render.onnx``: ``pose_card.onnx`` computes everything that depends on key points alone, on
the processor; ``render_card.onnx`` computes the rest on the card. There every operation costs a start of 10
us: hundreds of sums over 88 landmarks would take longer than the networks.

Operations that the card's provider (onnxruntime-ep-webgpu 0.4.0) lacks or gets wrong are avoided in its file:

- it supports GridSample up to opset 19, and no deformable or eight-bit convolutions; - convolutions whose
input channels are no multiple of 4 give wrong results (onnxruntime issue 29651).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.blocks import UpBlock
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.graphs import FommRender, Graph, MotionGraphs, Render, driving_inputs
from avatar_app.networks.painters import FaceRegions, look_at
from avatar_app.onnx_export.anchored import REGIONS, PhotoRenderer
from avatar_app.onnx_export.layers import PhaseConvolution
from avatar_app.onnx_export.photo import PhotoFeatures
from avatar_app.onnx_export.sampling import known_shapes, known_values
from avatar_app.onnx_export.tuning import (
    align_convolutions,
    drop_unread_constants,
    gather_constants,
    replace_nodes,
)

OPSET = 19
"""The last opset whose GridSample the card's provider supports."""

POSE_FILE, RENDER_FILE = "pose_card.onnx", "render_card.onnx"

PICTURE = "features_picture"
"""Name of the photo, (1, 3, S, S) in [0, 1], for painters."""

LAYERS = ("layer", "places")
"""Outputs of `WebGpuRenderer`: ``painted`` and ``alpha`` of `PhotoRenderer` as one tensor, (1, s, s, 4)."""

SHARED = ("features_body",)
"""Maps of the photo that sums over key points read too."""

THREE = 3
"""Number of input channels at which convolutions are correct as they are."""

MAPS = 4
"""Number of dimensions from which an input is a map of pixels."""

NETWORK = ("Conv", "ConvTranspose")
"""Operations that go to the card, whatever their inputs."""

SPREAD = ("ConstantOfShape",)
"""Operations whose results take more space in a file than the operations."""

FEW = 256
"""Constants of more numbers are weights, stored as float16 if wanted."""


def for_webgpu(graphs: MotionGraphs) -> Graph:
    """Return the render graph in operations that a card supports.

    Its inputs are the outputs of `export.for_processors`' encoder.
    """
    model = graphs.model
    if isinstance(model, AnchoredGenerator):
        renamed = {f"features_{name}": f"features_{name}" for name in PhotoFeatures._fields}
        renamed["features_pixels"] = PICTURE
        layers = LAYERS if model.regions is None else (*LAYERS, *REGIONS)
        return Graph(WebGpuRenderer(model).eval(), (*renamed.values(), *driving_inputs(model)), layers)
    if isinstance(model, Fomm):
        quick = copy.deepcopy(model)
        blocks = [block for block in quick.generator.up_blocks if isinstance(block, UpBlock)]
        quick.generator.up_blocks = nn.ModuleList(ShuffledPhases([up.conv, up.norm]) for up in blocks)
        return replace(graphs.render, module=Picture(FommRender(quick.generator)))
    assert isinstance(graphs.render.module, Render)
    return replace(graphs.render, module=Picture(graphs.render.module))


def divide(path: Path, half: bool) -> None:
    """Split a whole graph for cards into `POSE_FILE` and `RENDER_FILE`; remove it.

    Args:
        half: keep weights in float16.
    """
    whole = onnx.load(str(path))
    fold_constants(whole)
    pose, render = split(whole)
    align_convolutions(render, THREE)
    drop_unread_constants(render)
    if half:
        halve(render)
    for model, name in ((pose, POSE_FILE), (render, RENDER_FILE)):
        if not model.graph.node:
            continue
        onnx.checker.check_model(model)
        onnx.save(model, str(path.with_name(name)))
    path.unlink()


class ShuffledPhases(PhaseConvolution):
    """`PhaseConvolution` whose pixels are put in order by one operation."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__(layers)
        order = torch.arange(len(self.bias)).reshape(4, -1).t().flatten()
        self.weight, self.bias = self.weight[order], self.bias[order]

    def forward(self, maps: Tensor) -> Tensor:
        phases = functional.relu(functional.conv2d(maps, self.weight, self.bias, padding=1))
        return functional.pixel_shuffle(phases, 2)[:, :, 1:-1, 1:-1]


class WebGpuRenderer(PhotoRenderer):
    """`PhotoRenderer` in operations that a card supports.

    Returns ``painted`` and ``alpha`` as one tensor (1, s, s, 4), and the rest as `PhotoRenderer`.
    """

    def __init__(self, generator: AnchoredGenerator) -> None:
        super().__init__(generator, ShuffledPhases)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        count = len(PhotoFeatures._fields)
        photo, points, *code = PhotoFeatures(*tensors[:count]), *tensors[count:]
        points = torch.where(torch.isnan(points), torch.zeros_like(points), points)
        painted, alpha, flow = self.layers(photo, points)
        phases = torch.cat([painted, alpha]).reshape(1, 16, *painted.shape[3:])
        shown = _bytes(functional.pixel_shuffle(phases, 2)), self.enlarged(flow)
        if self.regions is None:
            return shown
        known = FaceRegions(*photo[-len(FaceRegions._fields) :])
        face = self.regions(known, look_at(photo.pixels), flow, points, *code)
        return *shown, _bytes(face.mouth), _bytes(face.eyes), face.frames


class Picture(nn.Module):
    """A `Render` that makes bytes by operations that a card supports."""

    def __init__(self, render: Render) -> None:
        super().__init__()
        self.render = render

    def forward(self, *tensors: Tensor) -> Tensor:
        return _bytes(self.render.picture(*tensors))


def _bytes(picture: Tensor) -> Tensor:
    """Convert (B, C, H, W) in [0, 1] to bytes (B, H, W, C); transposed as floats."""
    return (picture.permute(0, 2, 3, 1).clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def fold_constants(model: ModelProto) -> None:
    """Compute everything that depends on neither photo nor pose, sizes included."""
    before = -1
    while len(model.graph.node) != before:
        before = len(model.graph.node)
        gather_constants(model)
        shapes = known_shapes(model)
        known = {constant.name for constant in model.graph.initializer}
        early: list[NodeProto] = []
        late: list[NodeProto] = []
        for node in model.graph.node:
            if node.op_type == "Shape" and shapes.get(node.input[0]) and all(shapes[node.input[0]]):
                sizes = np.array(shapes[node.input[0]], np.int64)
                model.graph.initializer.append(numpy_helper.from_array(sizes, node.output[0]))
                known.add(node.output[0])
            elif node.op_type not in SPREAD and all(name in known for name in node.input if name):
                early.append(node)
                known.update(node.output)
            else:
                late.append(node)
        read = {name for node in late for name in node.input}
        wanted = [name for node in early for name in node.output if name in read]
        ends = [helper.make_empty_tensor_value_info(name) for name in wanted]
        if wanted:
            values = ReferenceEvaluator(_part(model, early, ends)).run(wanted, {})
            model.graph.initializer.extend(map(numpy_helper.from_array, values, wanted))
        replace_nodes(model, late)
    drop_unread_constants(model)


def split(model: ModelProto) -> tuple[ModelProto, ModelProto]:
    """Split a model: the part that depends on key points alone, and the rest.

    Tensors that the second takes from the first have names that begin with ``pose_``.
    """
    inputs = {value.name: value for value in model.graph.input}
    few = {name for name, value in inputs.items() if len(value.type.tensor_type.shape.dim) < MAPS}
    constants = {constant.name for constant in model.graph.initializer}
    known = {"", *constants, *few, *SHARED}
    early: list[NodeProto] = []
    late: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type in SPREAD and constants.issuperset(node.input):
            # Needs no input, so each part that reads it gets its own.
            early.append(node)
            late.append(NodeProto.FromString(node.SerializeToString()))
            known.update(node.output)
            constants.update(node.output)
        elif node.op_type not in NETWORK and all(name in known for name in node.input):
            early.append(node)
            known.update(node.output)
        else:
            late.append(node)
    made = {name for node in early for name in node.output} - constants
    asked = dict.fromkeys(name for node in late for name in node.input)
    passed = {name: f"pose_{index}" for index, name in enumerate(name for name in asked if name in made)}
    values = known_values(model)
    ends = [output for output in model.graph.output if output.name in made]
    crossing = [_renamed(values[name], new) for name, new in passed.items()]
    for node in early:
        node.output[:] = [passed.get(name, name) for name in node.output]
    for node in (*early, *late):
        node.input[:] = [passed.get(name, name) for name in node.input]
    pose = _part(model, early, [*crossing, *ends])
    card = _part(model, late, [output for output in model.graph.output if output.name not in made], crossing)
    return pose, card


def _renamed(value: ValueInfoProto, name: str) -> ValueInfoProto:
    value.name = name
    return value


def _part(
    model: ModelProto,
    nodes: Sequence[NodeProto],
    outputs: Sequence[ValueInfoProto],
    more: Sequence[ValueInfoProto] = (),
) -> ModelProto:
    """Return some nodes of a model, with the inputs and constants that they read.

    Args:
        more: inputs that the whole model does not have.
    """
    part = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = model.graph.name
    read = {name for node in nodes for name in node.input}
    part.graph.node.extend(nodes)
    part.graph.input.extend(value for value in (*model.graph.input, *more) if value.name in read)
    part.graph.initializer.extend(constant for constant in model.graph.initializer if constant.name in read)
    part.graph.output.extend(outputs)
    return part


def halve(model: ModelProto) -> None:
    """Keep weights in float16; they become float32 again when the file is opened."""
    casts: list[NodeProto] = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT or math.prod(constant.dims) < FEW:
            continue
        small, name = f"{constant.name}.half", constant.name
        constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float16), small))
        casts.append(helper.make_node("Cast", [small], [name], to=TensorProto.FLOAT))
    replace_nodes(model, [*casts, *model.graph.node])

"""Rewrite an ONNX file so that ONNX Runtime computes it faster.

The results are equal.

On processors three of its properties cost half of a frame's time: its fast convolutions require channel
counts that are multiples of four, its softmax over channels transposes the whole tensor twice, and its own
warp is slow (see `sampling`).
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from avatar_app.onnx_export.sampling import deform_warps, known_shapes

ALIGNMENT = 4
SMALLEST = 16
"""Convolutions of fewer channels have a fast path of their own."""
BLOCK = 16
"""Number of outputs that are computed at once, needed or not."""


def tune(path: Path) -> None:
    """Rewrite the file in place."""
    model = onnx.load(str(path))
    gather_constants(model)
    replace_nodes(model, deform_warps(model))
    _join_convolutions(model)
    align_convolutions(model)
    _spell_out_softmax(model)
    drop_unread_constants(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def gather_constants(model: ModelProto) -> None:
    """Turn constants made or passed on by nodes into the model's initialisers.

    The steps below look for them there.
    """
    known = {constant.name: constant for constant in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        value = known.get(node.input[0]) if node.op_type == "Identity" else None
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            value = node.attribute[0].t
        if value is None:
            nodes.append(node)
            continue
        constant = model.graph.initializer.add()
        constant.CopyFrom(value)
        constant.name = node.output[0]
        known[constant.name] = constant
    replace_nodes(model, nodes)


def _join_convolutions(model: ModelProto) -> None:
    """Join two convolutions that read the same maps in the same way.

    If their outputs fill fewer blocks together.
    """
    constants = {constant.name: constant for constant in model.graph.initializer}
    first: dict[tuple[str, bytes, tuple[int, ...]], NodeProto] = {}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        if (
            node.op_type != "Conv"
            or _groups(node) != 1
            or len(node.input) < 3
            or not all(name in constants for name in node.input[1:])
        ):
            continue
        options = b"".join(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
        key = (node.input[0], options, tuple(constants[node.input[1]].dims[1:]))
        other = first.setdefault(key, node)
        if other is not node and _saves_blocks(*(constants[conv.input[1]].dims[0] for conv in (other, node))):
            nodes.pop()
            _join(model, constants, other, node, nodes)
            del first[key]
    replace_nodes(model, nodes)


def _saves_blocks(one: int, other: int) -> bool:
    return math.ceil(one / BLOCK) + math.ceil(other / BLOCK) > math.ceil((one + other) / BLOCK)


def _join(
    model: ModelProto,
    constants: dict[str, onnx.TensorProto],
    one: NodeProto,
    other: NodeProto,
    nodes: list[NodeProto],
) -> None:
    counts = [constants[conv.input[1]].dims[0] for conv in (one, other)]
    joined = f"{one.output[0]}.joined"
    for place, part in ((1, "weight"), (2, "bias")):
        values = [numpy_helper.to_array(constants[conv.input[place]]) for conv in (one, other)]
        model.graph.initializer.append(numpy_helper.from_array(np.concatenate(values), f"{joined}.{part}"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(counts, np.int64), f"{joined}.counts"))
    split = helper.make_node("Split", [joined, f"{joined}.counts"], [one.output[0], other.output[0]], axis=1)
    nodes.insert(nodes.index(one) + 1, split)
    one.input[:] = [one.input[0], f"{joined}.weight", f"{joined}.bias"]
    one.output[0] = joined


def align_convolutions(model: ModelProto, smallest: int = SMALLEST) -> None:
    """Pad odd convolutions with channels of zeros and weights of zero.

    Args:
        smallest: those of so many channels or fewer stay unchanged.
    """
    constants = {constant.name: constant for constant in model.graph.initializer}
    shapes = known_shapes(model)
    readers = Counter(name for node in model.graph.node for name in node.input)
    makers: dict[str, NodeProto] = {}
    widened: set[str] = set()
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        constant = constants.get(node.input[1]) if node.op_type == "Conv" else None
        if constant is not None and _groups(node) == 1:
            weight = numpy_helper.to_array(constant)
            lacking = -weight.shape[1] % ALIGNMENT
            if lacking and weight.shape[1] > smallest:
                source = node.input[0]
                shape = _joined_shape(shapes, makers.get(source))
                if shape and readers[source] == 1:
                    # Channels are concatenated here anyway.
                    nodes.insert(nodes.index(makers[source]), _zeros(model, source, [1, lacking, *shape[2:]]))
                    makers[source].input.append(f"{source}.zeros")
                else:
                    if source not in widened:
                        nodes.append(_widen(model, source, lacking))
                        widened.add(source)
                    node.input[0] = f"{source}.wide"
                constant.CopyFrom(
                    numpy_helper.from_array(
                        np.pad(weight, ((0, 0), (0, lacking), (0, 0), (0, 0))), constant.name
                    )
                )
        nodes.append(node)
        makers |= dict.fromkeys(node.output, node)
    replace_nodes(model, nodes)


def _groups(conv: NodeProto) -> int:
    return next((attribute.i for attribute in conv.attribute if attribute.name == "group"), 1)


def _joined_shape(shapes: dict[str, list[int]], concat: NodeProto | None) -> list[int]:
    """Return the shape of a concatenation of channels; empty if unknown."""
    if concat is None or concat.op_type != "Concat" or concat.attribute[0].i != 1:
        return []
    shape = shapes.get(concat.output[0], [])
    return shape if len(shape) == 4 and all(shape) and shape[0] == 1 else []


def _zeros(model: ModelProto, tensor: str, shape: list[int]) -> NodeProto:
    model.graph.initializer.append(
        numpy_helper.from_array(np.array(shape, np.int64), f"{tensor}.zeros.shape")
    )
    return helper.make_node("ConstantOfShape", [f"{tensor}.zeros.shape"], [f"{tensor}.zeros"])


def _widen(model: ModelProto, tensor: str, lacking: int) -> NodeProto:
    pads = np.array([0, 0, 0, 0, 0, lacking, 0, 0], np.int64)
    model.graph.initializer.append(numpy_helper.from_array(pads, f"{tensor}.pads"))
    return helper.make_node("Pad", [tensor, f"{tensor}.pads"], [f"{tensor}.wide"])


def _spell_out_softmax(model: ModelProto) -> None:
    """Replace softmax over channels by exp(x - max) / sum.

    These operations work along the channels in place.
    """
    axis = "softmax.axis"
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        over = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1)
        if node.op_type != "Softmax" or over != 1:
            nodes.append(node)
            continue
        source, name = node.input[0], node.output[0]
        nodes += [
            helper.make_node("ReduceMax", [source, axis], [f"{name}.max"], keepdims=1),
            helper.make_node("Sub", [source, f"{name}.max"], [f"{name}.shifted"]),
            helper.make_node("Exp", [f"{name}.shifted"], [f"{name}.exp"]),
            helper.make_node("ReduceSum", [f"{name}.exp", axis], [f"{name}.sum"], keepdims=1),
            helper.make_node("Div", [f"{name}.exp", f"{name}.sum"], [name]),
        ]
    if len(nodes) != len(model.graph.node):
        model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), axis))
    replace_nodes(model, nodes)


def drop_unread_constants(model: ModelProto) -> None:
    read = {name for node in model.graph.node for name in node.input}
    kept = [constant for constant in model.graph.initializer if constant.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)

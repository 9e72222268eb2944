"""Warps that ONNX Runtime computes fast on processors: deformable convolutions.

Its own GridSample computes each position again for every channel, and takes ten times as long. A deformable
convolution with a kernel of one pixel and weights of one reads each channel at an offset from the pixel's own
position, and can multiply it on the way. If the offset is not a number the result is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

BEYOND = 3.0
"""Limit of positions: beyond it nothing of the picture is visible."""


LARGE = 1 << 10
"""Constants of more values are weights; shapes do not depend on them."""


def known_shapes(model: ModelProto) -> dict[str, list[int]]:
    """Return the shapes of a model's tensors; 0 for a size that is not fixed."""
    values = known_values(model)
    shapes = {
        name: [size.dim_value for size in value.type.tensor_type.shape.dim] for name, value in values.items()
    }
    return shapes | {constant.name: list(constant.dims) for constant in model.graph.initializer}


def known_values(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Infer type and shape of a model's tensors from its inputs, if possible."""
    skeleton = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    skeleton.graph.name = model.graph.name
    skeleton.graph.node.extend(model.graph.node)
    skeleton.graph.input.extend(model.graph.input)
    skeleton.graph.output.extend(model.graph.output)
    for constant in model.graph.initializer:
        if math.prod(constant.dims) <= LARGE:
            skeleton.graph.initializer.append(constant)
        else:
            skeleton.graph.input.append(
                helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
            )
    inferred = onnx.shape_inference.infer_shapes(skeleton, data_prop=True).graph
    return {value.name: value for value in (*inferred.value_info, *inferred.input, *inferred.output)}


def deform_warps(model: ModelProto) -> list[NodeProto]:
    """Rewrite every bilinear GridSample of one picture as a deformable convolution.

    Returns the model's nodes; adds constants to the model.
    """
    shapes = known_shapes(model)
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    dimmed: set[str] = set()
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.output[0] in dimmed:
            continue
        picture, flow = (
            (shapes.get(name, []) for name in node.input[:2]) if node.op_type == "GridSample" else ([], [])
        )
        known = len(picture) == len(flow) == 4 and all(picture + flow)
        if not known or picture[0] != 1:
            nodes.append(node)
            continue
        factor = _dimmer(node, readers, shapes)
        # The factor is computed after the positions: the whole warp moves to where both exist.
        warp = _Warp(model, node, picture, flow, factor)
        if factor is None:
            nodes += warp.nodes
        else:
            product = readers[node.output[0]][0]
            warp.rename(product.output[0])
            dimmed.add(product.output[0])
            nodes += warp.nodes
    return _sorted(model, nodes)


def _dimmer(node: NodeProto, readers: dict[str, list[NodeProto]], shapes: dict[str, list[int]]) -> str | None:
    """Return the factor of the warped picture, if multiplication is its only use.

    It must be one number a pixel; else None.
    """
    found = readers.get(node.output[0], [])
    if len(found) != 1 or found[0].op_type != "Mul":
        return None
    other = [name for name in found[0].input if name != node.output[0]]
    return other[0] if other and shapes.get(other[0], []) == [1, 1, *shapes[node.input[1]][1:3]] else None


def _sorted(model: ModelProto, nodes: list[NodeProto]) -> list[NodeProto]:
    """Return the nodes in an order in which each follows those that it reads."""
    known = {
        "",
        *(value.name for value in model.graph.input),
        *(constant.name for constant in model.graph.initializer),
    }
    done: list[NodeProto] = []
    waiting = nodes
    while waiting:
        later = []
        for node in waiting:
            if all(name in known for name in node.input):
                done.append(node)
                known.update(node.output)
            else:
                later.append(node)
        waiting = later
    return done


class _Warp:
    """The nodes that replace one GridSample."""

    def __init__(
        self, model: ModelProto, node: NodeProto, picture: list[int], flow: list[int], factor: str | None
    ) -> None:
        self.nodes: list[NodeProto] = []
        self._model, self._name, self._count = model, node.output[0], 0
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        _, channels, height, width = picture
        rows, columns = flow[1:3]
        # The convolution makes one result for each step, which must be as many as the positions.
        steps = [-(-side // count) for side, count in ((height, rows), (width, columns))]
        lacking = [
            max(0, (count - 1) * step + 1 - side)
            for count, step, side in ((rows, steps[0], height), (columns, steps[1], width))
        ]
        turned = self._add("Transpose", node.input[1], perm=[0, 3, 1, 2])
        # Offsets are y first, positions x first.
        position = self._add("Gather", turned, self._constant([1, 0], np.int64), axis=1)
        sides = np.array([height, width]).reshape(1, 2, 1, 1)
        scale = (sides - 1) / 2 if options.get("align_corners") else sides / 2
        middle = (sides - 1) / 2
        if options.get("padding_mode") == b"border":
            edge = middle / scale
            position = self._add(
                "Min", self._add("Max", position, self._constant(-edge)), self._constant(edge)
            )
        else:
            position = self._add("Clip", position, self._constant(-BEYOND), self._constant(BEYOND))
        offset = self._add(
            "Sub", self._add("Mul", position, self._constant(scale)), self._places(flow[1:3], steps, middle)
        )
        inputs = [node.input[0], self._constant(np.ones((channels, 1, 1, 1))), offset]
        if factor is not None:
            inputs += [self._constant(np.zeros(channels)), factor]
        self.nodes.append(
            helper.make_node(
                "DeformConv",
                inputs,
                [self._name],
                kernel_shape=[1, 1],
                group=channels,
                pads=[0, 0, *lacking],
                strides=steps,
            )
        )

    def _places(self, size: Sequence[int], steps: Sequence[int], middle: Any) -> str:
        """Return each step's own position minus the picture's middle.

        (1, 2, rows, columns), which is expanded when the file is opened.
        """
        rows, columns = size
        down, across = (
            np.arange(count) * step - middle[0, axis]
            for axis, (count, step) in enumerate(zip(size, steps, strict=True))
        )
        shape = self._constant([1, 1, rows, columns], np.int64)
        parts = [
            self._constant(down.reshape(1, 1, rows, 1)),
            self._constant(across.reshape(1, 1, 1, columns)),
        ]
        return self._add("Concat", *(self._add("Expand", part, shape) for part in parts), axis=1)

    def rename(self, output: str) -> None:
        """Rename the result."""
        self.nodes[-1].output[0] = output

    def _add(self, kind: str, *inputs: str, **options: Any) -> str:
        name = self._next()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name

    def _constant(self, value: Any, kind: type[np.generic] = np.float32) -> str:
        name = self._next()
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def _next(self) -> str:
        self._count += 1
        return f"{self._name}.{self._count}"

"""Warps as ONNX Runtime does them fast on processors: whole pixels are gathered and mixed.

Its own GridSample works out each position anew for every channel, one value at a time. Gathering all channels of a pixel at once takes
a third of the time from some sixteen channels on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FEWEST = 16
"""Channels from which gathering is the faster way."""


def gather_warps(model: ModelProto) -> list[NodeProto]:
    """The model's nodes, with every bilinear GridSample of one picture of many channels spelt out; adds constants to the model."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = [*inferred.value_info, *inferred.input]
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in values}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        shape = shapes.get(node.input[0], []) if node.op_type == "GridSample" else []
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        known = len(shape) == 4 and all(shape) and shape[0] == 1 and shape[1] >= FEWEST
        if known and options.get("mode", b"bilinear") == b"bilinear" and options.get("padding_mode", b"zeros") in (b"zeros", b"border"):
            border, aligned = options.get("padding_mode") == b"border", bool(options.get("align_corners", 0))
            nodes += _Warp(model, node, shape, border, aligned).nodes
        else:
            nodes.append(node)
    return nodes


class _Warp:
    """The nodes that stand for one GridSample. Positions and weights are (1, h, w, 1), pixels (1, h, w, C)."""

    def __init__(self, model: ModelProto, node: NodeProto, shape: list[int], border: bool, aligned: bool) -> None:
        self.nodes: list[NodeProto] = []
        self._model, self._name, self._count = model, node.output[0], 0
        picture, flow = node.input
        _, channels, height, width = shape
        turned = self._add("Transpose", picture, perm=[0, 2, 3, 1])
        table = self._add("Reshape", turned, self._integers([height * width, channels]))
        across, down = f"{self._name}.across", f"{self._name}.down"
        # A motion that is not a number must give a wrong picture, not read outside it.
        number = self._add("Where", self._add("IsNaN", flow), self._number(0), flow)
        self.nodes.append(helper.make_node("Split", [number], [across, down], axis=3))
        columns = self._taps(across, width, border, aligned)
        rows = self._taps(down, height, border, aligned)
        mixed = ""
        for row, row_weight in rows:
            line = self._add("Mul", row, self._number(width))
            for column, column_weight in columns:
                place = self._add("Cast", self._add("Add", line, column), to=TensorProto.INT32)
                pixels = self._add("Gather", table, self._add("Squeeze", place, self._integers([3])), axis=0)
                part = self._add("Mul", pixels, self._add("Mul", row_weight, column_weight))
                mixed = self._add("Add", mixed, part) if mixed else part
        self.nodes.append(helper.make_node("Transpose", [mixed], [self._name], perm=[0, 3, 1, 2]))

    def _taps(self, position: str, length: int, border: bool, aligned: bool) -> list[tuple[str, str]]:
        """The two pixels around each position along one axis, and their weights."""
        scale, shift = ((length - 1) / 2, (length - 1) / 2) if aligned else (length / 2, (length - 1) / 2)
        pixel = self._add("Add", self._add("Mul", position, self._number(scale)), self._number(shift))
        first, last = self._number(0), self._number(length - 1)
        if border:
            pixel = self._add("Clip", pixel, first, last)
        before = self._add("Floor", pixel)
        share = self._add("Sub", pixel, before)
        taps = [(before, self._add("Sub", self._number(1), share)), (self._add("Add", before, self._number(1)), share)]
        inside = [(self._add("Clip", place, first, last), place, weight) for place, weight in taps]
        if border:
            return [(clipped, weight) for clipped, _, weight in inside]
        # Outside is black: a pixel that had to be moved in does not count.
        seen = [self._add("Cast", self._add("Equal", clipped, place), to=TensorProto.FLOAT) for clipped, place, _ in inside]
        return [(clipped, self._add("Mul", weight, here)) for (clipped, _, weight), here in zip(inside, seen, strict=True)]

    def _add(self, kind: str, *inputs: str, **options: Any) -> str:
        name = self._next()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name

    def _number(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def _integers(self, values: list[int]) -> str:
        return self._constant(np.array(values, np.int64))

    def _constant(self, array: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> str:
        name = self._next()
        self._model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _next(self) -> str:
        self._count += 1
        return f"{self._name}.{self._count}"

"""Eight-bit convolutions for processors: faster, with pictures almost the same.

Weights and inputs of convolutions become bytes, scaled for a sample of real pictures (static quantisation,
one scale for each channel of weights). Layers that position or blend pixels stay exact. Operations between
two such convolutions that only move values (concatenation, transposition, slicing) move bytes. Each part of a
concatenation has a scale of its own, and the weights that read it compensate for the difference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from avatar_app.errors import ConfigError
from avatar_app.onnx_export.sampling import known_shapes
from avatar_app.onnx_runtime import OnnxSession, open_session
from avatar_app.text import Text

EXACT = ("/mask/", "/fine/", "/paint/", "/blur/")
"""Parts of the names of convolutions that stay exact: anchors' weights, flow, blending and the last blur."""

MOVERS = ("Transpose", "Reshape", "Slice", "Unsqueeze", "Squeeze")
"""Operations that move values without changing them."""

LOSS = 1.0
"""Acceptable loss of quality in dB."""

LARGEST_WEIGHT = 63
"""Seven bits: processors without VNNI add two products in sixteen bits, which overflow with eight."""

HEADROOM = 1.1
"""Factor by which future values may exceed those of the sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call of the graph.

    Attributes:
        feed: the graph's inputs by name; others are ignored.
        quality: returns how close the graph's outputs, in order, are to the truth; dB, higher is better.
    """

    feed: dict[str, Any]
    quality: Callable[[Sequence[Any]], float]


def quantise(path: Path, samples: Sequence[Sample]) -> tuple[float, float]:
    """Rewrite a render graph in place.

    Half of the samples set the scales, the other half judge.

    Returns:
        Mean quality in dB: exact, and with eight bits.

    Raises:
        ConfigError: more than ``LOSS`` would be lost; the file is unchanged.
    """
    model = onnx.load(str(path))
    rewriter = _Rewriter(model)
    rewriter.rewrite(_ranges(model, rewriter.measured(), samples[::2]))
    onnx.checker.check_model(model)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / path.name
        onnx.save(model, str(small))
        before, after = _quality(path, samples[1::2]), _quality(small, samples[1::2])
        if before - after > LOSS:
            raise ConfigError(
                Text("Eight bits cost {:.1f} dB.", before - after),
                Text("Export without --calibrate, or calibrate with more pictures."),
            )
        path.write_bytes(small.read_bytes())
    return before, after


@dataclass(frozen=True, slots=True)
class _Range:
    """The range of a tensor's values."""

    lowest: float
    highest: float

    def zero(self) -> int:
        """Return the byte that should represent 0."""
        lowest = min(self.lowest, 0.0)
        return round(255 * -lowest / max(self.highest - lowest, 1e-6))

    def scale(self, zero: int) -> float:
        """Return the value of one step when the byte ``zero`` represents 0."""
        below = -self.lowest / zero if zero else 0.0
        above = self.highest / (255 - zero) if zero < 255 else 0.0
        return max(above, below, 1e-6) * HEADROOM


class _Rewriter:
    """Replaces a model's float convolutions by eight-bit ones."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._convolutions = {node.output[0]: node for node in model.graph.node if self._suits(node)}
        self._shapes = known_shapes(model)
        self._ranges: dict[str, _Range] = {}
        self._zeros: dict[str, int] = {}
        self._bytes: dict[tuple[str, int], str] = {}
        self._nodes: list[NodeProto] = []

    def _suits(self, node: NodeProto) -> bool:
        return (
            node.op_type == "Conv"
            and node.input[1] in self._constants
            and not any(part in node.name for part in EXACT)
        )

    def measured(self) -> list[str]:
        """Return the tensors whose ranges `rewrite` needs."""
        needed = {self._result(name) for name in self._convolutions}
        for node in self._convolutions.values():
            needed |= {self._origin(part) for part in self._parts(node.input[0])}
        return sorted(needed)

    def rewrite(self, ranges: dict[str, _Range]) -> None:
        """Change the model; ``ranges`` are of the `measured` tensors."""
        self._ranges = ranges
        results = {self._result(name): name for name in self._convolutions}
        for node in list(self._model.graph.node):
            if node.output[0] in self._convolutions:
                self._convolve(node)
            elif node.output[0] not in results:
                self._nodes.append(node)
        self._read_back(results)
        kept = [NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._model.graph.node[:]
        self._model.graph.node.extend(kept)
        self._drop_unused()

    def _result(self, name: str) -> str:
        """Return a convolution's output after its ReLU, if it has one.

        A byte cannot be negative when the byte 0 represents 0.
        """
        readers = self._readers.get(name, [])
        return readers[0].output[0] if [reader.op_type for reader in readers] == ["Relu"] else name

    def _parts(self, name: str) -> list[str]:
        """Return the tensors that are concatenated as channels to make this one."""
        node = self._makers.get(name)
        beside = node is not None and node.op_type == "Concat" and node.attribute[0].i == 1
        return list(node.input) if beside and node is not None else [name]

    def _origin(self, name: str) -> str:
        """Return the tensor whose values this one holds in another order."""
        node = self._makers.get(name)
        while node is not None and node.op_type in MOVERS:
            name = node.input[0]
            node = self._makers.get(name)
        return name

    def _convolve(self, node: NodeProto) -> None:
        parts = self._parts(node.input[0])
        origins = [self._ranges[self._origin(part)] for part in parts]
        zero = max(origin.zero() for origin in origins)
        weight = np.array(numpy_helper.to_array(self._constants[node.input[1]]), np.float64)
        channels = [weight.shape[1]] if len(parts) == 1 else [self._shapes[part][1] for part in parts]
        # In steps of each part's own scale, so that the bytes can be multiplied directly.
        weight *= np.repeat([origin.scale(zero) for origin in origins], channels)[None, :, None, None]
        scales = np.maximum(np.abs(weight).max((1, 2, 3)) / LARGEST_WEIGHT, 1e-12)
        small = np.round(weight / scales[:, None, None, None]).astype(np.int8)
        bias = (
            numpy_helper.to_array(self._constants[node.input[2]])
            if len(node.input) > 2
            else np.zeros(len(weight))
        )
        name = self._result(node.output[0])
        found = self._ranges[name]
        self._zeros[name] = found.zero()
        inputs = [
            self._joined([self._as_bytes(part, zero) for part in parts]),
            *self._step(1.0, zero),
            self._constant(small),
            self._constant(scales.astype(np.float32)),
            self._constant(np.zeros(len(scales), np.int8)),
            *self._step(found.scale(self._zeros[name]), self._zeros[name]),
            self._constant(np.round(bias / scales).astype(np.int32)),
        ]
        self._bytes[name, self._zeros[name]] = f"{name}.bytes"
        quantised = helper.make_node("QLinearConv", inputs, [f"{name}.bytes"], node.name)
        quantised.attribute.extend(node.attribute)
        self._nodes.append(quantised)

    def _as_bytes(self, name: str, zero: int) -> str:
        """Return the tensor as bytes of which ``zero`` represents 0."""
        if (name, zero) in self._bytes:
            return self._bytes[name, zero]
        node, result = self._makers.get(name), f"{name}.bytes{zero or ''}"
        if node is not None and node.op_type in MOVERS:
            moved = NodeProto.FromString(node.SerializeToString())
            moved.input[0], moved.output[0], moved.name = (
                self._as_bytes(node.input[0], zero),
                result,
                f"{node.name}.bytes{zero or ''}",
            )
            self._nodes.append(moved)
        else:
            self._nodes.append(
                helper.make_node(
                    "QuantizeLinear", [name, *self._step(self._ranges[name].scale(zero), zero)], [result]
                )
            )
        self._bytes[name, zero] = result
        return result

    def _joined(self, parts: list[str]) -> str:
        if len(parts) == 1:
            return parts[0]
        name = f"{parts[0]}.joined{len(self._nodes)}"
        self._nodes.append(helper.make_node("Concat", parts, [name], axis=1))
        return name

    def _read_back(self, results: dict[str, str]) -> None:
        """Convert bytes back for nodes that still read floats."""
        read = {name for node in self._nodes for name in node.input}
        nodes: list[NodeProto] = []
        for node in self._nodes:
            nodes.append(node)
            name = node.output[0].removesuffix(".bytes")
            if node.op_type == "QLinearConv" and name in results and name in read:
                zero = self._zeros[name]
                inputs = [node.output[0], *self._step(self._ranges[name].scale(zero), zero)]
                nodes.append(helper.make_node("DequantizeLinear", inputs, [name]))
        self._nodes = nodes

    def _step(self, scale: float, zero: int) -> tuple[str, str]:
        return self._constant(np.array(scale, np.float32)), self._constant(np.array(zero, np.uint8))

    def _constant(self, array: npt.NDArray[Any]) -> str:
        name = f"eight_bits.{len(self._model.graph.initializer)}"
        self._model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _drop_unused(self) -> None:
        """Remove float weights, and moved floats, that no node reads any more."""
        graph = self._model.graph
        wanted = {value.name for value in graph.output}
        kept: list[NodeProto] = []
        for node in reversed(graph.node):
            if wanted & set(node.output):
                wanted |= set(node.input)
                kept.append(node)
        kept_nodes = [NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
        constants = [
            TensorProto.FromString(constant.SerializeToString())
            for constant in graph.initializer
            if constant.name in wanted
        ]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(kept_nodes)
        graph.initializer.extend(constants)


def _ranges(model: ModelProto, names: Sequence[str], samples: Sequence[Sample]) -> dict[str, _Range]:
    watched = ModelProto.FromString(model.SerializeToString())
    inputs = {value.name for value in model.graph.input}
    inner = [name for name in names if name not in inputs]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner
    )
    session = open_session(watched.SerializeToString(), threads=0)
    found: dict[str, _Range] = {}
    for sample in samples:
        values = dict(zip(inner, session.run(inner, _asked(session, sample)), strict=True)) | sample.feed
        for name in names:
            lowest, highest = float(values[name].min()), float(values[name].max())
            before = found.get(name, _Range(lowest, highest))
            found[name] = _Range(min(lowest, before.lowest), max(highest, before.highest))
    return found


def _quality(path: Path, samples: Sequence[Sample]) -> float:
    session = open_session(path, threads=0)
    return float(np.mean([sample.quality(session.run(None, _asked(session, sample))) for sample in samples]))


def _asked(session: OnnxSession, sample: Sample) -> dict[str, Any]:
    return {name: sample.feed[name] for name in session.inputs}

"""Compute a bundle's render graph on the processor or on a graphics card.

For a card it is split in two: everything that depends on key points alone is computed on the processor first
(`onnx_export.webgpu`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.faults import require_ports
from avatar_app.errors import DeviceError, EngineError
from avatar_app.onnx_runtime import Card, OnnxBinding, OnnxSession, OnnxValue
from avatar_app.text import Text
from avatar_app.types import Image

Values = Mapping[str, OnnxValue]

POSE_FILE, RENDER_FILE = "pose_card.onnx", "render_card.onnx"
"""A bundle's graphs for graphics cards."""

PICTURE = "features_picture"
"""Name of the photo in the form that a card reads, (1, 3, S, S) in [0, 1]."""

LAYER = "layer"
"""Name of a card's output: ``painted`` and ``alpha`` as one tensor."""

BOUND = "bound"
"""Key of the tensors on the card among an avatar's features."""


class Render(Protocol):
    """Computes pictures, or their parts, from a photo's features and a pose."""

    @property
    def name(self) -> str:
        """The device, for people."""

    @property
    def inputs(self) -> Set[str]:
        """Names of inputs; those of a pose begin with ``driving_``."""

    @property
    def outputs(self) -> Set[str]:
        """Names of the results of ``run``."""

    def require(self, model: str, known: set[str], wanted: set[str], size: int) -> None:
        """Raise BundleError if the graphs do not fit.

        Args:
            known: all names that can be fed.
            wanted: required outputs.
        """

    def keep(self, features: Values, photo: Image) -> dict[str, Any]:
        """Select the features of a photo that every picture needs."""

    def run(self, kept: Mapping[str, Any], pose: Values) -> dict[str, Any]:
        """Return all outputs."""

    def close(self) -> None: ...


class ProcessorRender:
    """``render.onnx`` on the processor."""

    name = "CPU"

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._session = open_file(bundle, "render.onnx", threads)
        self.inputs, self.outputs = self._session.inputs.keys(), self._session.outputs.keys()

    def require(self, model: str, known: set[str], wanted: set[str], size: int) -> None:
        require_ports(self._session, model, known, wanted, size)

    def keep(self, features: Values, photo: Image) -> dict[str, Any]:
        return {name: value for name, value in features.items() if name in self.inputs}

    def run(self, kept: Mapping[str, Any], pose: Values) -> dict[str, Any]:
        made = self._session.run_values(None, {**kept, **pose})
        return {name: value.numpy() for name, value in zip(self.outputs, made, strict=True)}

    def close(self) -> None:
        del self._session


class WebGpuRender:
    """`POSE_FILE` on the processor and `RENDER_FILE` on a card.

    Args:
        card: None computes both on the processor, as the reference for the card.
    """

    def __init__(self, bundle: Bundle, threads: int, card: Card | None) -> None:
        self._card = card.name if card else ""
        self.name = f"WebGPU, {self._card}" if card else "CPU"
        self._render = open_file(bundle, RENDER_FILE, threads, card)
        has_pose = POSE_FILE in bundle.hashes
        self._pose = open_file(bundle, POSE_FILE, threads) if has_pose else None
        self._planned = set(self._pose.outputs) if self._pose else set()
        of_photo = self._render.inputs.keys() - self._planned
        self.inputs = (of_photo - {PICTURE}) | (set(self._pose.inputs) if self._pose else set())
        made = self._render.outputs.keys() | (self._planned - self._render.inputs.keys())
        self.outputs = made - {LAYER} | {"painted", "alpha"} if LAYER in made else made

    def require(self, model: str, known: set[str], wanted: set[str], size: int) -> None:
        if self._pose:
            require_ports(self._pose, model, known, set(), size)
        wanted = wanted - self._planned
        if LAYER in self._render.outputs:
            wanted = wanted - {"painted", "alpha"}
        require_ports(self._render, model, known | {PICTURE} | self._planned, wanted, size)

    def keep(self, features: Values, photo: Image) -> dict[str, Any]:
        kept: dict[str, Any] = {name: value for name, value in features.items() if name in self.inputs}
        there = {name: value.numpy() for name, value in kept.items() if name in self._render.inputs}
        if PICTURE in self._render.inputs:
            there[PICTURE] = photo.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        with self._failures():
            return kept | {BOUND: self._render.bind(there)}

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Raise DeviceError for any failure: the processor can take over."""
        try:
            yield
        except (EngineError, MemoryError) as error:
            raise DeviceError(
                Text("The graphics card {} has failed.", self._card),
                Text("Restart the computer, or choose the processor (--device cpu)."),
            ) from error

    def run(self, kept: Mapping[str, Any], pose: Values) -> dict[str, Any]:
        known = {**kept, **pose}
        planned: dict[str, Any] = {}
        if self._pose:
            made = self._pose.run_values(None, {name: known[name] for name in self._pose.inputs})
            planned = {name: value.numpy() for name, value in zip(self._pose.outputs, made, strict=True)}
        bound: OnnxBinding = kept[BOUND]
        feeds = {name: value.numpy() for name, value in pose.items()} | planned
        feeds = {name: value for name, value in feeds.items() if name in self._render.inputs}
        with self._failures():
            shown = bound.run(feeds)
        shown |= {name: value for name, value in planned.items() if name not in self._render.inputs}
        if LAYER in shown:
            layer = shown.pop(LAYER)
            shown |= {"painted": np.ascontiguousarray(layer[..., :3]), "alpha": layer[..., 3:].copy()}
        return shown

    def close(self) -> None:
        del self._pose, self._render


def open_file(
    bundle: Bundle, name: str, threads: int, card: Card | None = None, *, seldom: bool = False
) -> OnnxSession:
    """Open a bundle's graph; raise EngineError or BundleError."""
    return OnnxSession(bundle.read(name), str(bundle.folder / name), threads, card, seldom)

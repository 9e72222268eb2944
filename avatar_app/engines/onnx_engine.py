"""The CPU engine: a bundle's ONNX files in ONNX Runtime. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from avatar_app.bundles.bundle import Bundle
from avatar_app.compositing.compositor import PhotoLayers, compose
from avatar_app.engines import require_joinable
from avatar_app.engines.landmarks import detected, landmark_points
from avatar_app.onnx_runtime import OnnxValue, open_session
from avatar_app.types import Avatar, Crop, Image, KeyPoints

LAYERS = "layers"
"""Where an avatar's features hold what its pictures are composed of."""


class OnnxEngine:
    """Features of a photo stay in ONNX Runtime's memory; only bytes and key points cross."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self.size = bundle.size
        self._kind = bundle.kind
        self.name = f"{bundle.name}, ONNX Runtime, CPU"
        self._encode = open_session(bundle.file("encode.onnx"), threads)
        self._render = open_session(bundle.file("render.onnx"), threads)
        self._detect = (
            open_session(bundle.file("detect.onnx"), threads) if "detect.onnx" in bundle.hashes else None
        )
        self.reads_pictures = self._detect is not None
        self._render_inputs = self._render.inputs.keys()
        self._composes = "places" in self._render.outputs

    def detect(self, crop: Crop) -> KeyPoints:
        if self._detect is None:
            return landmark_points(crop)
        return detected(self._detect, crop.image)

    def encode(self, crop: Crop) -> Avatar:
        points = self.detect(crop)
        inputs: dict[str, Any] = {"image": crop.image[None], "points": points.value[None]}
        wanted = {name: OnnxValue.of(inputs[name]) for name in self._encode.inputs}
        features = dict(zip(self._encode.outputs, self._encode.run_values(None, wanted), strict=True))
        # The portrait's own points are fixed too, so they are handed over once.
        fixed = features | self._tensors("source", points)
        kept: dict[str, Any] = {name: value for name, value in fixed.items() if name in self._render_inputs}
        if self._composes:
            made = {name: features[name].numpy() for name in ("person", "background", "teeth", "cavity")}
            kept[LAYERS] = PhotoLayers.of(np.ascontiguousarray(crop.image), points.value, made)
        return Avatar(points, kept)

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """One avatar of several photos. Raises EngineError for models that take one photo."""
        require_joinable(self._kind, self.name)
        features = [avatar.features for avatar in avatars]
        total = {name: OnnxValue.of(sum(one[name].numpy() for one in features)) for name in features[0]}
        return Avatar(avatars[0].key_points, total)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        inputs = {name: value for name, value in avatar.features.items() if name != LAYERS} | self._tensors(
            "driving", pose
        )
        if not self._composes:
            picture: Image = self._render.run_values(["picture"], inputs)[0].numpy()[0]
            return picture
        painted, alpha, places = (
            value.numpy() for value in self._render.run_values(["painted", "alpha", "places"], inputs)
        )
        return compose(avatar.features[LAYERS], painted[0], alpha[0, ..., 0], places, pose.value)

    def close(self) -> None:
        del self._encode, self._detect, self._render

    def _tensors(self, whose: str, points: KeyPoints) -> dict[str, Any]:
        """Key points under the names of the render graph, as far as it asks for them."""
        return {
            f"{whose}_{part}": OnnxValue.of(array[None].astype(np.float32, copy=False))
            for part, array in points.parts.items()
            if f"{whose}_{part}" in self._render_inputs
        }

"""Run a bundle's ONNX files in ONNX Runtime, without PyTorch.

Photos are encoded on the processor; a `Render` computes the pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from avatar_app.bundles.bundle import Bundle
from avatar_app.compositing.compositor import FaceCrops, PhotoLayers, compose
from avatar_app.compositing.layer import compose_layer
from avatar_app.compositing.scene import MatteResult, scene_of
from avatar_app.engines import require_joinable
from avatar_app.engines.faults import model_faults, require_numbers, require_picture, require_ports
from avatar_app.engines.landmarks import detected, landmark_points
from avatar_app.engines.onnx_render import ProcessorRender, Render, open_file
from avatar_app.onnx_runtime import OnnxValue
from avatar_app.types import NO_EXPRESSION, Area, Array, Avatar, Crop, Image, KeyPoints, Layer

LAYERS = "layers"
"""Key of `PhotoLayers` among an avatar's features."""


COMPOSED = ("painted", "alpha", "places")
"""Outputs of a render graph whose picture is composed outside of it."""

PHOTO = ("person", "background")
"""Outputs of its encoder for that."""

FACE = ("mouth", "eyes", "frames")
"""Additional outputs of a graph with painters."""


class OnnxEngine:
    """The ONNX Runtime engine.

    Features of a photo stay in ONNX Runtime's memory; only bytes and key points are copied.
    """

    def __init__(self, bundle: Bundle, threads: int, render: Render | None = None) -> None:
        """Open the graphs; raise EngineError or BundleError if a file is damaged or unfit.

        Args:
            render: computes pictures; None: on the processor.
        """
        self.size = bundle.size
        self._kind, self._model = bundle.kind, bundle.name
        with model_faults(bundle.name):
            self._encode = open_file(bundle, "encode.onnx", threads, seldom=True)
            self._render = render or ProcessorRender(bundle, threads)
            self._detect = (
                open_file(bundle, "detect.onnx", threads) if "detect.onnx" in bundle.hashes else None
            )
        self.name = f"{bundle.name}, ONNX Runtime, {self._render.name}"
        self.encodes_aside = isinstance(self._render, ProcessorRender)
        """Whether one thread may encode photos while another one renders: they have separate sessions, but a
        graphics card is shared.
        """
        self.reads_pictures = self._detect is not None
        self._composes = "places" in self._render.outputs
        self._layers = (*COMPOSED, *FACE) if "frames" in self._render.outputs else COMPOSED
        self._require_graphs()

    def _require_graphs(self) -> None:
        parts = {field.name for field in dataclasses.fields(KeyPoints)}
        poses = {f"{whose}_{part}" for whose in ("source", "driving") for part in parts}
        layers = set(self._layers) if self._composes else {"picture"}
        made = set(PHOTO) if self._composes else set()
        require_ports(self._encode, self._model, {"image", "points"}, made, self.size)
        self._render.require(self._model, self._encode.outputs.keys() | poses, layers, self.size)
        if self._detect is not None:
            found = "code" if self._kind == "x2face" else "value"
            require_ports(self._detect, self._model, {"image"}, {found}, self.size)

    def detect(self, crop: Crop) -> KeyPoints:
        if self._detect is None:
            return landmark_points(crop)
        with model_faults(self._model):
            return require_numbers(detected(self._detect, crop.image), self._model)

    def encode(self, crop: Crop) -> Avatar:
        points = self.detect(crop)
        with model_faults(self._model):
            features = self._features(crop, points)
            scene = None
            if LAYERS in features:
                layers: PhotoLayers = features[LAYERS]
                scene = scene_of(crop, layers.parts, self._seen)
                features[LAYERS] = layers.in_scene(scene) if scene else layers
            return Avatar(points, features, scene)

    def _features(self, crop: Crop, points: KeyPoints) -> dict[str, Any]:
        inputs: dict[str, Any] = {"image": crop.image[None], "points": points.value[None]}
        wanted = {name: OnnxValue.of(inputs[name]) for name in self._encode.inputs}
        features = dict(zip(self._encode.outputs, self._encode.run_values(None, wanted), strict=True))
        # The portrait's own points are fixed too, so they are passed once.
        kept = self._render.keep(features | self._tensors("source", points), crop.image)
        if self._composes:
            made = {name: features[name].numpy() for name in PHOTO}
            kept[LAYERS] = PhotoLayers.of(np.ascontiguousarray(crop.image), points.value, made, crop.others)
        return kept

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """Join several photos into one avatar; raise EngineError if the model takes one."""
        require_joinable(self._kind, self.name)
        features = [avatar.features for avatar in avatars]
        names = [name for name, value in features[0].items() if isinstance(value, OnnxValue)]
        total = {name: OnnxValue.of(sum(one[name].numpy() for one in features)) for name in names}
        photo = np.zeros((self.size, self.size, 3), np.uint8)  # models that join photos do not read it
        return Avatar(avatars[0].key_points, self._render.keep(total, photo))

    def _seen(self, crop: Crop) -> MatteResult:
        """Return person and background of another crop of the same photo."""
        assert crop.landmarks is not None
        inputs: dict[str, Any] = {"image": crop.image[None], "points": crop.landmarks[None, :, :2]}
        person, filled = self._encode.run(["person", "background"], inputs)
        return MatteResult(person[0, ..., 0], filled[0])

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        with model_faults(self._model):
            return require_picture(self._picture(avatar, pose), self._model, self.size)

    def outputs(self, avatar: Avatar, pose: KeyPoints) -> dict[str, Any]:
        """Return the render graph's outputs, before a picture is composed of them."""
        known = {name: value for name, value in avatar.features.items() if name != LAYERS}
        return self._render.run(known, self._tensors("driving", pose))

    def _picture(self, avatar: Avatar, pose: KeyPoints) -> Any:
        if not self._composes:
            return self.outputs(avatar, pose)["picture"][0]
        return compose(avatar.features[LAYERS], *self._moved(avatar, pose))

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        with model_faults(self._model):
            painted, alpha, grid, face = self._moved(avatar, pose)
            layers: PhotoLayers = avatar.features[LAYERS]
            return compose_layer(layers, painted, alpha, grid, pose.value, area, face)

    def _moved(self, avatar: Avatar, pose: KeyPoints) -> tuple[Image, Image, Array, FaceCrops | None]:
        """Return the network's picture, its alpha, the sampling grid, mouth and eyes."""
        made = self.outputs(avatar, pose)
        painted, alpha, grid, *face = (made[name] for name in self._layers)
        return painted[0], alpha[0, ..., 0], grid, FaceCrops.of(*face) if face else None

    def close(self) -> None:
        self._render.close()
        del self._encode, self._detect, self._render

    def _tensors(self, whose: str, points: KeyPoints) -> dict[str, Any]:
        """Return key points by input name, as far as the render graph has them."""
        return {
            f"{whose}_{part}": OnnxValue.of(array[None].astype(np.float32, copy=False))
            for part, array in ({"expression": NO_EXPRESSION} | points.parts).items()
            if f"{whose}_{part}" in self._render.inputs
        }

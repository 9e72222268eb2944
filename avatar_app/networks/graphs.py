"""The graphs that engines run, in PyTorch and as ONNX files.

    encode   photo (and its key points, in the anchored family)  ->  features
    detect   picture  ->  key points (only in the original families; anchored models take landmarks)
    render   features, key points  ->  picture

Pictures are uint8 (1, S, S, 3), so that nothing larger is copied between an engine and its caller. Tensors
are identified by name: an engine passes ``image``, ``points`` (the photo's), the features as ``encode`` named
them, and the parts of the photo's and the driver's key points (``source_value``, ``driving_jacobian``,
``driving_code`` and so on), as far as a graph lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from avatar_app.errors import BundleError
from avatar_app.networks.anchored.config import LANDMARKS, AnchoredConfig
from avatar_app.networks.anchored.features import Features
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.anchored.layer import moved_layer
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.generator import Generator, SourceFeatures
from avatar_app.networks.fomm.keypoints import KeyPointDetector, KeyPointTensors
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.generator import Generator as MonkeyGenerator
from avatar_app.networks.monkeynet.keypoints import KeyPointDetector as MonkeyDetector
from avatar_app.networks.monkeynet.keypoints import PointTensors
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.networks.x2face.model import Embedded, X2Face, X2FaceConfig
from avatar_app.text import Text

WINDOW = "features_window"
"""Name of `layer.moved_layer`'s window among a photo's features."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A module with the names of its inputs and outputs, in order."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MotionGraphs:
    """The graphs of one model; they share its weights.

    Attributes:
        model: holds all weights, under the names of the bundle's safetensors file.
        points: number of key points; for X2Face the length of the code.
        layer: of models with a matte, `layer.moved_layer`: it takes a window besides the inputs of
            ``render``.
        can_halve: whether the networks keep positions in float32 when their weights are float16.
    """

    model: nn.Module
    size: int
    points: int
    can_halve: bool
    encode: Graph
    detect: Graph | None
    render: Graph
    layer: Graph | None = None


def build_graphs(kind: str, config: Mapping[str, Any], size: int) -> MotionGraphs:
    """Build the graphs of a bundle with random weights; load ``model``'s state next.

    Raises:
        ConfigError: the configuration does not fit the kind.
        BundleError: this kind of bundle is not a motion model.
    """
    if kind == "fomm":
        own = FommConfig.from_dict(config)
        return fomm_graphs(Fomm(own), own, size)
    if kind == "anchored":
        return anchored_graphs(AnchoredGenerator(AnchoredConfig.from_dict(dict(config))), size)
    if kind == "monkeynet":
        monkeynet = MonkeyNetConfig.from_dict(config)
        return monkeynet_graphs(MonkeyNet(monkeynet), monkeynet, size)
    if kind == "x2face":
        x2face = X2FaceConfig.from_dict(config)
        return x2face_graphs(X2Face(x2face), x2face)
    raise BundleError(
        Text("A bundle of the kind {} cannot animate a photo.", repr(kind)),
        Text("Choose one that `models list` shows as a motion model."),
    )


def fomm_graphs(model: Fomm, config: FommConfig, size: int) -> MotionGraphs:
    """Build the graphs of the First Order Motion Model."""
    parts = ("value", "jacobian") if config.estimate_jacobian else ("value",)
    features = tuple(f"features_{name}" for name in SourceFeatures._fields)
    poses = tuple(f"{whose}_{part}" for whose in ("source", "driving") for part in parts)
    return MotionGraphs(
        model=model.eval(),
        size=size,
        points=config.num_kp,
        can_halve=True,
        encode=Graph(FommEncode(model.generator), ("image",), features),
        detect=Graph(FommDetect(model.kp_detector), ("image",), parts),
        render=Graph(FommRender(model.generator), (*features, *poses), ("picture",)),
    )


def anchored_graphs(model: AnchoredGenerator, size: int) -> MotionGraphs:
    """Build the graphs of the landmark-anchored family."""
    features = tuple(f"features_{name}" for name in Features._fields)
    return MotionGraphs(
        model=model.eval(),
        size=size,
        points=LANDMARKS,
        can_halve=False,
        encode=Graph(AnchoredEncode(model), ("image", "points"), features),
        detect=None,
        render=Graph(AnchoredRender(model), (*features, *driving_inputs(model)), ("picture",)),
        layer=Graph(AnchoredLayer(model), (*features, WINDOW, *driving_inputs(model)), ("layer",))
        if model.matte is not None
        else None,
    )


def driving_inputs(model: AnchoredGenerator) -> tuple[str, ...]:
    """Return the names of an anchored model's pose inputs.

    Landmarks, and the expression code if the model has painters.
    """
    return ("driving_value",) if model.regions is None else ("driving_value", "driving_expression")


def monkeynet_graphs(model: MonkeyNet, config: MonkeyNetConfig, size: int) -> MotionGraphs:
    """Build the graphs of Monkey-Net.

    The photo's features are the picture and its maps at each halving.
    """
    features = tuple(f"features_{index}" for index in range(config.generator_params.num_blocks + 1))
    poses = tuple(f"{whose}_{part}" for whose in ("source", "driving") for part in PointTensors._fields)
    return MotionGraphs(
        model=model.eval(),
        size=size,
        points=config.num_kp,
        can_halve=True,
        encode=Graph(MonkeyEncode(model.generator), ("image",), features),
        detect=Graph(MonkeyDetect(model.kp_detector), ("image",), PointTensors._fields),
        render=Graph(MonkeyRender(model.generator), (*features, *poses), ("picture",)),
    )


def x2face_graphs(model: X2Face, config: X2FaceConfig) -> MotionGraphs:
    """Build the graphs of X2Face.

    The features of several photos of one person can be added.
    """
    features = tuple(f"features_{name}" for name in Embedded._fields)
    return MotionGraphs(
        model=model.eval(),
        size=config.size,
        points=config.code,
        can_halve=True,
        encode=Graph(X2FaceEncode(model), ("image",), features),
        detect=Graph(X2FaceDetect(model), ("image",), ("code",)),
        render=Graph(X2FaceRender(model), (*features, "driving_code"), ("picture",)),
    )


def from_bytes(image: Tensor, network: nn.Module) -> Tensor:
    """Convert uint8 (B, H, W, 3) to (B, 3, H, W) in [0, 1], in the weights' precision."""
    return image.permute(0, 3, 1, 2).to(next(network.parameters()).dtype) / 255


def to_bytes(picture: Tensor) -> Tensor:
    """Convert (B, 3, H, W) in [0, 1] to uint8 (B, H, W, 3), rounded."""
    return (picture.float().clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1)


class FommEncode(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor) -> SourceFeatures:
        return self.generator.encode(from_bytes(image, self.generator))


class FommDetect(nn.Module):
    def __init__(self, detector: KeyPointDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        points: KeyPointTensors = self.detector(from_bytes(image, self.detector))
        return (points.value,) if points.jacobian is None else (points.value, points.jacobian)


class Render(nn.Module):
    """A photo's features and key points -> a picture."""

    def picture(self, *tensors: Tensor) -> Tensor:
        """Return the picture before rounding, (B, 3, H, W) in [0, 1]."""
        raise NotImplementedError

    def forward(self, *tensors: Tensor) -> Tensor:
        return to_bytes(self.picture(*tensors))


class FommRender(Render):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def picture(self, *tensors: Tensor) -> Tensor:
        features, poses = SourceFeatures(*tensors[:2]), tensors[2:]
        half = len(poses) // 2
        return self.generator.decode(features, KeyPointTensors(*poses[:half]), KeyPointTensors(*poses[half:]))


class AnchoredEncode(nn.Module):
    def __init__(self, generator: AnchoredGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor, points: Tensor) -> Features:
        return self.generator.encode(from_bytes(image, self.generator), points)


class AnchoredRender(Render):
    def __init__(self, generator: AnchoredGenerator) -> None:
        super().__init__()
        self.generator = generator

    def picture(self, *tensors: Tensor) -> Tensor:
        count = len(Features._fields)
        return self.generator.decode(Features(*tensors[:count]), *tensors[count:]).image


class AnchoredLayer(Render):
    """A photo's features, its window and key points -> the layer of the person."""

    def __init__(self, generator: AnchoredGenerator) -> None:
        super().__init__()
        self.generator = generator

    def picture(self, *tensors: Tensor) -> Tensor:
        count = len(Features._fields)
        features, window, points = Features(*tensors[:count]), tensors[count], tensors[count + 1 :]
        made = self.generator.decode(features, *points)
        return moved_layer(made.colours, made.grid, window, points[0])


class MonkeyEncode(nn.Module):
    def __init__(self, generator: MonkeyGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.generator.encode(from_bytes(image, self.generator)))


class MonkeyDetect(nn.Module):
    def __init__(self, detector: MonkeyDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> PointTensors:
        points: PointTensors = self.detector(from_bytes(image, self.detector))
        return points


class MonkeyRender(Render):
    def __init__(self, generator: MonkeyGenerator) -> None:
        super().__init__()
        self.generator = generator

    def picture(self, *tensors: Tensor) -> Tensor:
        return self.generator.decode(
            list(tensors[:-4]), PointTensors(*tensors[-4:-2]), PointTensors(*tensors[-2:])
        )


class X2FaceEncode(nn.Module):
    def __init__(self, model: X2Face) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Embedded:
        return self.model.embed(from_bytes(image, self.model))


class X2FaceDetect(nn.Module):
    def __init__(self, model: X2Face) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model.read(from_bytes(image, self.model)).float()


class X2FaceRender(Render):
    def __init__(self, model: X2Face) -> None:
        super().__init__()
        self.model = model

    def picture(self, *tensors: Tensor) -> Tensor:
        code = tensors[-1].to(next(self.model.parameters()).dtype)
        return self.model.show(Embedded(*tensors[:-1]), code)

"""The PyTorch engine: float32 on the processor, the fastest safe form on a card.

On a graphics card the norms are folded, networks run in float16 where possible, and each graph of a frame is
one CUDA graph. Each of these is tried at the start and skipped if it fails or changes the picture; the
engine's name shows what is used, and the log why something is not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avatar_app.bundles.bundle import Bundle
from avatar_app.compositing.clean_plate import Layers, separate
from avatar_app.compositing.scene import MatteResult, scene_of
from avatar_app.engines import require_joinable
from avatar_app.engines.faults import model_faults
from avatar_app.engines.landmarks import landmark_points
from avatar_app.engines.torch_place import CudaPlace, Place, Processor
from avatar_app.engines.torch_runner import Features, open_runner
from avatar_app.engines.torch_weights import load_graphs, quickest
from avatar_app.errors import DeviceError, EngineError
from avatar_app.networks.anchored.layer import layer_corner
from avatar_app.networks.graphs import WINDOW, to_bytes
from avatar_app.processor import cores
from avatar_app.text import Text
from avatar_app.types import NO_EXPRESSION, Area, Array, Avatar, Crop, Image, KeyPoints, Layer, key_points

NO_MEMORY = ("out of memory", "STATUS_ALLOC_FAILED")
"""Out-of-memory messages of CUDA libraries for which PyTorch has no exception of its own."""


class TorchEngine:
    """Features of a photo stay on the device.

    A frame costs one copy to it and one back for each graph.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: torch.device,
        quick: bool = False,
        open_place: Callable[[], Place] = Processor,
    ) -> None:
        """Prepare the networks for one device.

        Args:
            quick: optimise form and precision as long as the pictures stay the same.
        """
        self.size = bundle.size
        self._model, self._kind, self._device = bundle.name, bundle.kind, device
        graphs = load_graphs(bundle, device)
        if quick:
            graphs = quickest(graphs)
        self._runner = open_runner(graphs, open_place)
        place, precision = (
            self._runner.place,
            str(next(graphs.model.parameters()).dtype).removeprefix("torch."),
        )
        how = f"{'' if self._runner.recorded else 'without '}{place.records}" if place.records else ""
        self.name = ", ".join(part for part in (bundle.name, f"PyTorch {precision}", how, place.name) if part)

    @property
    def reads_pictures(self) -> bool:
        return self._runner.detects

    def detect(self, crop: Crop) -> KeyPoints:
        if not self._runner.detects:
            return landmark_points(crop)
        with card_faults(self._device, self._model):
            return key_points(dict(zip(self._runner.parts, self._runner.detect(crop.image), strict=True)))

    def encode(self, crop: Crop) -> Avatar:
        points = self.detect(crop)
        with card_faults(self._device, self._model):
            features = self._runner.encode(crop.image, *self._arrays(points))
            if "features_background" not in features:
                return Avatar(points, features)
            layers = taken_apart(features, crop.image, points.value, crop.others)
            scene = scene_of(crop, layers, self._seen)
            if scene is not None:
                layers = layers._replace(colours=np.ascontiguousarray(scene.square[..., :3]))
            features = with_layers(features, crop.image, points.value, crop.others, layers)
            if scene is not None:
                features[WINDOW] = _from_bytes(scene.window, features["features_image"])
            return Avatar(points, features, scene)

    def _seen(self, crop: Crop) -> MatteResult:
        """Return person and background of another crop of the same photo."""
        features = self._runner.encode(crop.image, *self._arrays(landmark_points(crop)))
        person, filled = _person_and_background(features)
        return MatteResult(person, filled)

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """Join several photos into one avatar; raise EngineError if the model takes one."""
        require_joinable(self._kind, self._model)
        with card_faults(self._device, self._model):
            return Avatar(avatars[0].key_points, self._runner.join([avatar.features for avatar in avatars]))

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        with card_faults(self._device, self._model):
            picture: Image = self._runner.render(avatar.features, *self._arrays(pose))
            return picture

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        with card_faults(self._device, self._model):
            made = self._runner.render_layer(avatar.features, *self._arrays(pose))
        left, top = layer_corner(self.size)
        part = made[area.moved(-left, -top).slices]
        return Layer(
            np.ascontiguousarray(part[..., :3]), np.ascontiguousarray(part[..., 3]), (area.left, area.top)
        )

    def close(self) -> None:
        self._runner.close()

    def _arrays(self, points: KeyPoints) -> list[Array]:
        parts = {"expression": NO_EXPRESSION} | points.parts
        return [parts[name] for name in self._runner.parts]


def _person_and_background(features: Features) -> tuple[npt.NDArray[np.uint8], Image]:
    person, filled = (
        to_bytes(features[f"features_{name}"]).numpy(force=True)[0] for name in ("person", "background")
    )
    return np.ascontiguousarray(person[..., 0]), filled


def taken_apart(features: Features, photo: Image, points: Array, others: Sequence[Array] = ()) -> Layers:
    """Separate a photo (S, S, 3) with landmarks (P, 2) by `clean_plate`."""
    return separate(photo, *_person_and_background(features), points, others)


def with_layers(
    features: Features,
    photo: Image,
    points: Array,
    others: Sequence[Array] = (),
    layers: Layers | None = None,
) -> Features:
    """Add refined layers to a photo's features, if person and background are known.

    The photo is (S, S, 3), its landmarks (P, 2).

    Args:
        layers: None separates the photo here.
    """
    if "features_background" not in features:
        return features
    layers = layers or taken_apart(features, photo, points, others)
    fine: dict[str, npt.NDArray[Any]] = {
        "image": layers.colours,
        "person": layers.person[..., None],
        "background": layers.background,
    }
    return features | {
        f"features_{name}": _from_bytes(layer, features[f"features_{name}"]) for name, layer in fine.items()
    }


def _from_bytes(picture: npt.NDArray[Any], like: Tensor) -> Tensor:
    """Convert bytes (..., S, S, C) to (1, ..., C, S, S) in [0, 1].

    Type and device are those of ``like``.
    """
    return (torch.from_numpy(picture).to(like.device).movedim(-1, -3)[None] / 255).to(like.dtype)


def cuda_problem() -> Text | None:
    """Return why this PyTorch cannot use CUDA here, or None."""
    if torch.version.cuda is None:
        return Text("this PyTorch ({}) is built without CUDA", torch.__version__)
    if not torch.cuda.is_available():
        return Text(
            "PyTorch {} finds no usable device; the driver may be too old for CUDA {}",
            torch.__version__,
            torch.version.cuda,
        )
    return None


def open_cuda(bundle: Bundle, number: int) -> TorchEngine:
    """Open a bundle on a CUDA device.

    Raises EngineError: no such device, a generation that PyTorch is not built for, too little memory, or a
    failure.
    """
    found = torch.cuda.device_count()
    if number >= found:
        raise EngineError(
            Text("There is no device cuda:{}: {} found.", number, found),
            Text("Graphics cards are numbered from cuda:0."),
        )
    device = torch.device("cuda", number)
    with card_faults(device, bundle.name):
        built_for = torch.cuda.get_arch_list()
        if built_for and not computes(card := torch.cuda.get_device_capability(device), built_for):
            problem = Text(
                "PyTorch {} is built for other cards than cuda:{}, of generation {}.{}",
                torch.__version__,
                number,
                *card,
            )
            raise EngineError(
                Text("CUDA cannot be used: {}.", problem),
                Text("Install PyTorch for CUDA (pytorch.org says how), or use --device cpu."),
            )
        try:
            return TorchEngine(bundle, device, quick=True, open_place=lambda: CudaPlace(device))
        except RuntimeError as error:
            forget(error)
            with suppress(RuntimeError):
                torch.cuda.empty_cache()
            raise


def computes(card: tuple[int, int], built_for: Iterable[str]) -> bool:
    """Return whether code for these architectures runs on a card of this generation.

    Architectures are such as ``sm_86``. Machine code runs on later cards of its generation, and code that is
    compiled on demand (``compute_80``) on all later ones.
    """
    for architecture in built_for:
        kind, _, digits = architecture.rstrip("af").partition("_")
        made_for = (int(digits[:-1]), int(digits[-1]))
        if made_for <= card and (kind == "compute" or made_for[0] == card[0]):
            return True
    return False


def forget(error: BaseException) -> None:
    """Clear the local variables of the calls that led to an error.

    Weights and features in them would stay on the card as long as the error is kept.
    """
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__context__


def open_cpu(bundle: Bundle, threads: int | None) -> TorchEngine:
    """Open a bundle with PyTorch on the processor."""
    torch.set_num_threads(threads or min(torch.get_num_threads(), cores()))
    return TorchEngine(bundle, torch.device("cpu"))


@contextmanager
def card_faults(device: torch.device, model: str) -> Iterator[None]:
    """Turn errors of a graphics card into DeviceError, all others into EngineError.

    PyTorch's own text about a card fills a page.
    """
    with model_faults(model):
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or (
                device.type == "cuda" and any(words in str(error) for words in NO_MEMORY)
            ):
                message = Text(
                    "The memory of cuda:{} is too small or taken for the model {}.", device.index, model
                )
                raise DeviceError(
                    message, Text("Close other programs that use it, or use --device cpu.")
                ) from error
            if device.type != "cuda":
                raise
            said = str(error).partition("\n")[0].rstrip(".")
            raise DeviceError(
                Text("The graphics card cuda:{} has failed: {}.", device.index, said),
                Text("Restart the computer, or choose the processor (--device cpu)."),
            ) from error

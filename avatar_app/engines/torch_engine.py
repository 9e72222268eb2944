"""The PyTorch engine: float32 on the CPU, float16 on CUDA where that gives the same pictures."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from avatar_app.bundle import Bundle
from avatar_app.engines.landmarks import landmark_points
from avatar_app.errors import BundleError, DeviceError, EngineError
from avatar_app.networks.graphs import FommRender, Graph, MotionGraphs, build_graphs
from avatar_app.types import Avatar, Crop, Image, KeyPoints

WEIGHTS = "weights.safetensors"

WORST_HALF = 0.02
"""Mean difference between float16 and float32 pictures, in [0, 1], from which float16 is not used: it has overflowed."""


class TorchEngine:
    """Features of a photo stay on the device; a frame costs one copy there and one back."""

    def __init__(self, bundle: Bundle, device: torch.device, half: bool = False) -> None:
        """Args: half: use float16 if the model can and the pictures stay the same."""
        self.size = bundle.size
        self._model = bundle.name
        self._device = device
        self._graphs = load_graphs(bundle, device)
        if half and self._graphs.can_halve:
            self._graphs = _halved(self._graphs) or load_graphs(bundle, device)
        precision = str(next(self._graphs.model.parameters()).dtype).removeprefix("torch.")
        where = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        self.name = f"{bundle.name}, PyTorch {precision}, {where}"

    @property
    def reads_pictures(self) -> bool:
        return self._graphs.detect is not None

    @torch.inference_mode()
    def detect(self, crop: Crop) -> KeyPoints:
        if self._graphs.detect is None:
            return landmark_points(crop)
        with card_faults(self._device, self._model):
            value, *jacobian = run(self._graphs.detect, {"image": self._upload(crop.image)})
            return KeyPoints(value[0].cpu().numpy(), jacobian[0][0].cpu().numpy() if jacobian else None)

    @torch.inference_mode()
    def encode(self, crop: Crop) -> Avatar:
        points = self.detect(crop)
        with card_faults(self._device, self._model):
            features = run(self._graphs.encode, {"image": self._upload(crop.image), "points": self._upload(points.value)})
            return Avatar(points, dict(zip(self._graphs.encode.outputs, features, strict=True)) | self._tensors("source", points))

    @torch.inference_mode()
    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        with card_faults(self._device, self._model):
            (picture,) = run(self._graphs.render, avatar.features | self._tensors("driving", pose))
            image: Image = picture[0].contiguous().cpu().numpy()
            return image

    def close(self) -> None:
        del self._graphs
        if self._device.type == "cuda":
            with suppress(RuntimeError):  # a card that has failed cannot even do this
                torch.cuda.empty_cache()

    def _tensors(self, whose: str, points: KeyPoints) -> dict[str, Tensor]:
        arrays = {f"{whose}_value": points.value, f"{whose}_jacobian": points.jacobian}
        return {name: self._upload(array) for name, array in arrays.items() if array is not None}

    def _upload(self, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.float32]]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)[None]


def cuda_problem() -> str | None:
    """Why this PyTorch cannot use CUDA here, or None."""
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is built without CUDA"
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no usable device; the driver may be too old for CUDA {torch.version.cuda}"
    return None


def open_cuda(bundle: Bundle, number: int) -> TorchEngine:
    """Raises EngineError: no such device, its memory is too small, or it fails."""
    found = torch.cuda.device_count()
    if number >= found:
        raise EngineError(f"There is no device cuda:{number}: {found} found.", "Graphics cards are numbered from cuda:0.")
    device = torch.device("cuda", number)
    with card_faults(device, bundle.name):
        return TorchEngine(bundle, device, half=True)


@contextmanager
def card_faults(device: torch.device, model: str) -> Iterator[None]:
    """Within it, what PyTorch raises because of a graphics card becomes a DeviceError; its own words fill a page."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        message = f"The memory of cuda:{device.index} is too small or taken for the model {model}."
        raise DeviceError(message, "Close other programs that use it, or use --device cpu.") from error
    except RuntimeError as error:
        if device.type != "cuda":
            raise
        said = str(error).partition("\n")[0].rstrip(".")
        raise DeviceError(
            f"The graphics card cuda:{device.index} has failed: {said}.", "Restart the computer, or choose the processor (--device cpu)."
        ) from error


def open_cpu(bundle: Bundle, threads: int | None) -> TorchEngine:
    """PyTorch on the processor."""
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchEngine(bundle, torch.device("cpu"))


def load_graphs(bundle: Bundle, device: torch.device) -> MotionGraphs:
    """The bundle's networks with its weights, in float32.

    Raises:
        BundleError: the weights do not fit the bundle's configuration.
    """
    graphs = build_graphs(bundle.kind, bundle.config, bundle.size)
    try:
        graphs.model.load_state_dict(load_file(bundle.file(WEIGHTS)))
    except (RuntimeError, SafetensorError) as error:
        raise BundleError(f"The weights of the model {bundle.name} do not fit its description.", "Import it again.") from error
    graphs.model.to(device)
    return graphs


def run(graph: Graph, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Feed a graph what it lists."""
    outputs = graph.module(*(tensors[name] for name in graph.inputs))
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


@torch.inference_mode()
def _halved(graphs: MotionGraphs) -> MotionGraphs | None:
    """The same graphs in float16, or None where that changes the picture: large activations can overflow."""
    expected = _trial_picture(graphs)
    half = copy.deepcopy(graphs)
    half.model.half()
    difference = (_trial_picture(half) - expected).abs().mean().item()
    return half if difference < WORST_HALF else None  # a NaN is never smaller


def _trial_picture(graphs: MotionGraphs) -> Tensor:
    """What the graphs make of a picture of coarse noise, moved a little."""
    device = next(graphs.model.parameters()).device
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(noise, size=(graphs.size, graphs.size), mode="bilinear") * 255
    image = picture.to(torch.uint8).permute(0, 2, 3, 1).to(device)
    assert graphs.detect is not None
    points = dict(zip(graphs.detect.outputs, run(graphs.detect, {"image": image}), strict=True))
    tensors = dict(zip(graphs.encode.outputs, run(graphs.encode, {"image": image}), strict=True))
    tensors |= {f"source_{name}": value for name, value in points.items()}
    tensors |= {f"driving_{name}": value for name, value in points.items()}
    tensors["driving_value"] = points["value"] + 0.05
    assert isinstance(graphs.render.module, FommRender)
    return graphs.render.module.picture(*(tensors[name] for name in graphs.render.inputs)).float()

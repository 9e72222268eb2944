"""Read checkpoints of the original project.

No code from the file runs: it is read with ``weights_only=True``, in a child process.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from avatar_app.errors import BundleError
from avatar_app.files import reason, require_ordinary
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.model import Fomm
from avatar_app.text import Text
from avatar_app.untrusted import read_in_child

WEIGHTS = Mapping[str, Tensor]
APART = "\n"
"""Separates part and weight in tensor names."""

AGAIN = Text("Check that it is the right file, and download it again if it may be damaged.")


@dataclass(frozen=True, slots=True)
class Original:
    """An original checkpoint with its configuration.

    Attributes:
        size: side of the pictures it was trained on, in pixels.
    """

    config: FommConfig
    size: int
    generator: WEIGHTS
    kp_detector: WEIGHTS


def original_of(content: Mapping[str, Any], document: Any, path: Path) -> Original:
    """Build from the content of a ``.pth.tar`` and of its YAML.

    Raises:
        BundleError: weights are missing.
        ConfigError: the configuration has a wrong key.
    """
    parts = {name: state_dict_of(content, name, path) for name in ("generator", "kp_detector")}
    return Original(config=FommConfig.from_original(document), size=picture_size(document), **parts)


def build_fomm(config: FommConfig, original: Original) -> Fomm:
    """Build the networks with the checkpoint's weights, for inference.

    Raises BundleError where they do not fit the configuration.
    """
    with torch.device("meta"):  # sizes without memory: checks the fit before allocating any
        plan = Fomm(config)
    require_fit(plan.generator, original.generator, "generator")
    require_fit(plan.kp_detector, original.kp_detector, "kp_detector")
    model = Fomm(config)
    load_weights(model.generator, original.generator, "generator")
    load_weights(model.kp_detector, original.kp_detector, "kp_detector")
    return model.eval()


def load_weights(network: nn.Module, weights: WEIGHTS, name: str) -> None:
    """Load weights; raise BundleError as `require_fit` does."""
    require_fit(network, weights, name)
    network.load_state_dict(dict(weights), strict=False)


def require_fit(network: nn.Module, weights: WEIGHTS, name: str) -> None:
    """Raise BundleError for the first weight that is missing, extra or misshapen."""
    expected = network.state_dict()
    # PyTorch 0.4 did not count batches yet, and the blur kernels are constants.
    optional = {key for key in expected if key.endswith(("num_batches_tracked", "down.weight"))}
    hint = Text("Give the configuration that this checkpoint was trained with.")
    for key in sorted(expected.keys() - weights.keys() - optional):
        raise BundleError(
            Text("The checkpoint's {} lacks the weight {} that the configuration asks for.", name, key), hint
        )
    for key in sorted(weights.keys() - expected.keys()):
        raise BundleError(
            Text(
                "The checkpoint's {} holds the weight {}, for which the configuration has no place.",
                name,
                key,
            ),
            hint,
        )
    for key, value in weights.items():
        if value.shape != expected[key].shape:
            shapes = f"{tuple(value.shape)}, but the configuration asks for {tuple(expected[key].shape)}"
            raise BundleError(
                Text("The weight {} of the checkpoint's {} has the shape {}.", key, name, shapes), hint
            )


def read_weights(path: Path) -> Mapping[str, Any]:
    """Read a checkpoint's weights by part and name; None for any other part.

    Raises:
        BundleError: not a checkpoint, truncated, unsafe, or it takes far too much memory or time.
    """
    content: dict[str, Any] = {}
    for name, value in read_in_child(write_numbers, path).items():
        part, _, key = name.partition(APART)
        if key:
            content.setdefault(part, {})[key] = torch.from_numpy(value)
        else:
            content[part] = None
    return content


def write_numbers(path: Path, target: Path) -> None:
    """Read a checkpoint and write its tensors as safetensors, for `read_weights`.

    Raises BundleError.
    """
    tensors: dict[str, Tensor] = {}
    for part, weights in _read_checkpoint(path).items():
        if isinstance(weights, Mapping) and weights and all(map(_is_plain, weights.values())):
            tensors |= {f"{part}{APART}{key}": value for key, value in weights.items()}
        else:
            tensors[f"{part}{APART}"] = torch.zeros(0)
    if sum(value.numel() * value.element_size() for value in tensors.values()) > path.stat().st_size:
        raise _packed(path)
    try:
        save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, target)
    except OSError as error:
        raise BundleError(
            Text("The checkpoint {} cannot be unpacked: {}.", path, reason(error)), Text("Free some space.")
        ) from None


def _packed(path: Path) -> BundleError:
    return BundleError(
        Text("The checkpoint {} is packed: it would take far more memory than its size says.", path), AGAIN
    )


def _no_checkpoint(path: Path) -> BundleError:
    return BundleError(Text("{} is not a PyTorch checkpoint, or it is truncated.", path), AGAIN)


def _read_checkpoint(path: Path) -> Mapping[str, Any]:
    try:
        require_ordinary(path)
        if _unfolds(path):
            raise _packed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that are not checkpoints and are refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BundleError(
            Text("The checkpoint {} cannot be read: {}.", path, reason(error)), Text("Check the path.")
        ) from None
    except (BundleError, MemoryError):
        raise
    except Exception as error:  # a damaged archive can fail anywhere inside PyTorch's reader
        if isinstance(error, pickle.UnpicklingError) and "unsupported global" in str(error).lower():
            message = Text(
                "The checkpoint {} holds something other than weights, which could run code, so it was "
                "not opened.",
                path,
            )
            raise BundleError(
                message, Text("Use only checkpoints of the original project, from a source you trust.")
            ) from None
        raise _no_checkpoint(path) from None
    if not isinstance(content, Mapping):
        raise BundleError(
            Text("{} is a PyTorch file, but not a checkpoint of a model that this app knows.", path), AGAIN
        )
    return content


def _unfolds(path: Path) -> bool:
    """Whether a zip holds more than its own size, or cannot be inspected.

    PyTorch's own files never do.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK" and not zipfile.is_zipfile(file):
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size
    except zipfile.BadZipFile:
        raise _no_checkpoint(path) from None
    except (ValueError, NotImplementedError, OverflowError, EOFError):
        return True


def _is_plain(value: object) -> bool:
    """Whether this is a dense tensor of numbers."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_complex()
    )


def state_dict_of(content: Mapping[str, Any], name: str, path: Path) -> WEIGHTS:
    """Return the weights of one network of a checkpoint.

    Raises BundleError if there are none.
    """
    weights = content.get(name)
    if not isinstance(weights, Mapping) or not all(map(_is_plain, weights.values())):
        raise BundleError(
            Text(
                "{} has no weights under the name {}, so it is not a checkpoint that this app can read.",
                path,
                name,
            ),
            AGAIN,
        )
    # Checkpoints of networks spread over several GPUs have this word before every name.
    return {str(key).removeprefix("module."): value for key, value in weights.items()}


def picture_size(document: Mapping[str, Any], usual: int = 256) -> int:
    """Return the picture side in pixels that a configuration names, else ``usual``."""
    data = document.get("dataset_params") or {}
    shape = data.get("frame_shape") or data.get("image_shape") if isinstance(data, Mapping) else None
    if isinstance(shape, list) and shape and isinstance(shape[0], int) and shape[0] > 0:
        return shape[0]
    return usual

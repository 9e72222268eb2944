"""Choose and open the engine for a bundle."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from importlib import metadata

from avatar_app.bundles.bundle import Bundle
from avatar_app.cuda.fetch import has_driver
from avatar_app.engines import Engine
from avatar_app.errors import BundleError, EngineError
from avatar_app.extras import require
from avatar_app.onnx_runtime import has_webgpu_package
from avatar_app.processor import cores
from avatar_app.remote.pairing import is_remote, parse_pairing
from avatar_app.text import Text

DEVICES = ("auto", "cpu", "cuda", "webgpu", "onnx", "torch")

log = logging.getLogger(__name__)


def open_engine(
    bundle: Bundle, device: str = "auto", threads: int | None = None, *, at_once: bool = False
) -> Engine:
    """Open a bundle.

    Args:
        device: ``cpu`` and ``onnx``: ONNX Runtime on the processor; ``torch``: PyTorch on it; ``cuda`` or
            ``cuda:N``: PyTorch on an NVIDIA graphics card; ``webgpu``: ONNX Runtime on any graphics card;
            ``auto``: CUDA if it works, else a card that is faster than the processor, else the processor; a
            pairing line (``avatar://...``): another computer.
        at_once: with ``auto``, the processor instead of a card that would have to be tried first. That engine
            is `Improvable`.
        threads: CPU threads; None: one for each core.

    Raises:
        EngineError: unknown device, or it cannot be used here; says why.
        BundleError: the bundle is not a motion model, or a file does not fit.
    """
    if bundle.kind == "faces":
        raise BundleError(
            Text("The model {} finds faces and cannot animate a photo.", bundle.name),
            Text("Choose another one of `models list`."),
        )
    if threads is not None and threads < 1:
        raise EngineError(Text("{} threads cannot compute anything.", threads), Text("Give a number from 1."))
    if is_remote(device):
        from avatar_app.engines.remote_engine import open_remote

        return open_remote(bundle, device)
    family, _, number = device.partition(":")
    if family == "cuda" and (number.isdecimal() or device == "cuda"):
        return _open_cuda(bundle, int(number or 0))
    if device == "torch":
        require("cuda", Text("{}", "--device torch"))
        from avatar_app.engines.torch_engine import open_cpu

        return open_cpu(bundle, threads)
    if device not in DEVICES:
        raise _unknown(device)
    if device == "auto" and (engine := _cuda_if_there(bundle)):
        return engine
    if device in ("auto", "webgpu") and (device == "webgpu" or has_webgpu_package()):
        from avatar_app.engines.webgpu_engine import open_webgpu

        try:
            insist = device == "webgpu"
            better = None if insist else partial(_cuda_if_there, bundle)
            return open_webgpu(bundle, threads or cores(), insist, known=at_once, better=better)
        except EngineError as error:
            if device == "webgpu":
                raise
            log.info("the processor computes: %s", error.message)
    return _open_processor(bundle, threads or cores(), at_once and device == "auto")


def _open_processor(bundle: Bundle, threads: int, provisional: bool) -> Engine:
    from avatar_app.engines.onnx_engine import OnnxEngine
    from avatar_app.engines.provisional import ProvisionalEngine

    if provisional:
        return ProvisionalEngine(bundle, threads, lambda: _better(bundle, threads))
    return OnnxEngine(bundle, threads)


def _better(bundle: Bundle, threads: int) -> Engine | None:
    """What ``auto`` takes in place of the processor that is in use; None if nothing.

    CUDA may have come meanwhile; a card is tried if that was never done.
    """
    if engine := _cuda_if_there(bundle):
        return engine
    if has_webgpu_package():
        from avatar_app.engines.webgpu_engine import open_webgpu

        try:
            better = partial(_cuda_if_there, bundle)
            return open_webgpu(bundle, threads, insist=False, busy=True, better=better)
        except EngineError as error:
            log.info("the processor goes on computing: %s", error.message)
    return None


def _cuda_if_there(bundle: Bundle) -> Engine | None:
    """``auto`` must not fail because a graphics card is full."""
    if cuda_problem() is None:
        with suppress(EngineError):
            return _open_cuda(bundle, 0)
    return None


def require_device(device: str) -> None:
    """Raise ConfigError or EngineError for an impossible device name."""
    family, _, number = device.partition(":")
    if is_remote(device):
        parse_pairing(device)
    elif device not in DEVICES and not (family == "cuda" and number.isdecimal()):
        raise _unknown(device)


def _unknown(device: str) -> EngineError:
    return EngineError(
        Text("There is no device {}.", repr(device)),
        Text("Choose one of {}, cuda:N or a pairing line.", ", ".join(DEVICES)),
    )


def cuda_problem() -> Text | None:
    """Return why CUDA cannot be used, or None.

    Loads PyTorch, which takes a second, only if a driver and a CUDA build are present.
    """
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Text("PyTorch is not installed")
    if version.endswith("+cpu"):
        return Text("this PyTorch ({}) is built only for the processor", version)
    if not has_driver():
        return Text("no NVIDIA driver was found")
    try:
        from avatar_app.engines import torch_engine
    except (ImportError, OSError) as problem:  # a library is missing or does not fit this system
        return Text("PyTorch cannot be loaded ({})", str(problem).partition("\n")[0])
    return torch_engine.cuda_problem()


def _open_cuda(bundle: Bundle, number: int) -> Engine:
    problem = cuda_problem()
    if problem is not None:
        hint = (
            Text("Run `cuda install`, or use --device cpu.")
            if "built" in problem or "installed" in problem
            else Text("Use --device cpu.")
        )
        raise EngineError(Text("CUDA cannot be used: {}.", problem), hint)
    from avatar_app.engines.torch_engine import open_cuda

    return open_cuda(bundle, number)

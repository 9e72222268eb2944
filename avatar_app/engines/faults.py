"""Turn errors of libraries into errors for the user, and check what models return."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from avatar_app.errors import AvatarError, BundleError, EngineError
from avatar_app.onnx_runtime import OnnxSession
from avatar_app.text import Text
from avatar_app.types import Image, KeyPoints

log = logging.getLogger(__name__)

AGAIN = Text("Import or fetch it again, or choose another one.")


@contextmanager
def model_faults(model: str) -> Iterator[None]:
    """Raise EngineError in place of any error that a library raises within.

    A model file may hold any graph. MemoryError and errors meant for the user pass.
    """
    try:
        yield
    except (AvatarError, MemoryError):
        raise
    except Exception as error:
        if "allocate memory" in str(error):  # PyTorch has no error of its own for a full memory
            raise MemoryError(f"for the model {model}") from error
        log.error("the model %s fails", model, exc_info=error)
        raise EngineError(Text("The model {} cannot be computed.", model), AGAIN) from error


def require_ports(session: OnnxSession, model: str, inputs: set[str], outputs: set[str], size: int) -> None:
    """Raise BundleError unless a graph has the inputs and outputs of such a model.

    Args:
        inputs: all names that can be fed.
        outputs: required names.
        size: side of pictures, in pixels.
    """
    unknown, missing = session.inputs.keys() - inputs, outputs - session.outputs.keys()
    if unknown or missing:
        what = Text("asks for {}", min(unknown)) if unknown else Text("does not make {}", min(missing))
        raise BundleError(Text("The model {} is damaged: {} {}.", model, session.title, what), AGAIN)
    image = session.inputs.get("image")
    if image is not None and (image.kind != "tensor(uint8)" or not _fits(image.shape, (1, size, size, 3))):
        raise BundleError(
            Text("The model {} is damaged: {} takes no picture of {} pixels.", model, session.title, size),
            AGAIN,
        )


def _fits(shape: tuple[int | None, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        found in (None, size) for found, size in zip(shape, wanted, strict=True)
    )


def require_numbers(points: KeyPoints, model: str) -> KeyPoints:
    """Return key points; raise EngineError if one of them is not a number."""
    if not all(np.isfinite(part).all() for part in points.parts.values()):
        raise EngineError(Text("The model {} finds key points that are not numbers.", model), AGAIN)
    return points


def require_picture(picture: Any, model: str, size: int) -> Image:
    """Return a picture; raise EngineError unless it is (size, size)."""
    if picture.shape != (size, size, 3) or picture.dtype != np.uint8:
        raise EngineError(Text("The model {} makes no picture of {} pixels.", model, size), AGAIN)
    image: Image = picture
    return image

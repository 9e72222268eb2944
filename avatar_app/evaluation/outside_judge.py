"""Landmarks by an independent network, for judging pictures.

Ours must not be the only judge of pictures made from its own landmarks.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

from avatar_app.errors import EngineError
from avatar_app.extras import install, requirements
from avatar_app.files import reason
from avatar_app.text import Text
from avatar_app.types import Array, Image

WAY_OUT = Text("Connect to the internet for the first use, or evaluate without --judge face-alignment.")


def weight_files() -> list[str]:
    """Return the package's weight files: of its face finder and its landmark network."""
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd.sfd_detector import models_urls as finder_urls

    return [url.rpartition("/")[2] for url in (finder_urls["s3fd"], models_urls["2DFAN-4"])]


def torch_home() -> str:
    """Return the folder in which PyTorch and its packages keep downloads."""
    import torch

    return torch.hub.get_dir()


class OutsideJudge:
    """The package face-alignment, the judge of the First Order Motion Model's paper.

    The paper measures the average key-point distance with its network. It is slow, and is loaded only when an
    object is created.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        fetch: let the package download missing weights.

    Raises:
        EngineError: the package is not installed, or its weights are not available.
    """

    def __init__(self, device: str = "cpu", fetch: bool = False) -> None:
        try:
            import face_alignment
        except ImportError:
            raise EngineError(
                Text("The package face-alignment is not installed."), install(requirements("judge"))
            ) from None
        missing = (
            []
            if fetch
            else [
                name for name in weight_files() if not (Path(torch_home()) / "checkpoints" / name).is_file()
            ]
        )
        if missing:
            raise EngineError(
                Text(
                    "The weights of face-alignment are not on this computer: {} (about 180 MB).",
                    ", ".join(missing),
                ),
                Text("Add --fetch-judge to have the package fetch them from www.adrianbulat.com."),
            )
        try:
            # Without mirroring, as for the paper's figures; compiling would take longer than it saves.
            self._aligner: Any = face_alignment.FaceAlignment(
                face_alignment.LandmarksType.TWO_D, device=device, flip_input=False, compile=False
            )
        except (
            OSError,
            RuntimeError,
            EOFError,
        ) as problem:  # no network, a refusing server, a partial file
            why = (
                problem.reason
                if isinstance(problem, URLError) and isinstance(problem.reason, Exception)
                else problem
            )
            raise EngineError(
                Text("The weights of face-alignment cannot be had: {}.", reason(why)), WAY_OUT
            ) from None

    def landmarks(self, image: Image) -> Array | None:
        """Return the 68 points (68, 2) in pixels of the largest face; None without one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it finds no face
            found = self._aligner.get_landmarks(image) or []
        faces = [np.asarray(points, np.float32)[:, :2] for points in found]
        return max(faces, key=lambda points: float(np.ptp(points, axis=0).max()), default=None)

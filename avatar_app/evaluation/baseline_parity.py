"""Compare Monkey-Net and X2Face with recorded outputs of their originals.

Each stage gets its recorded input if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from avatar_app.errors import BundleError
from avatar_app.networks.monkeynet.keypoints import PointTensors
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.networks.x2face.model import Embedded, X2Face
from avatar_app.text import Text

Arrays = Mapping[str, npt.NDArray[np.float32]]
PICTURES = ("source", "source2", "initial", "driving")


class _Compared:
    """The recorded arrays as tensors, and the differences of ours from them."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = {
            name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()
        }
        for name in PICTURES:
            if name in self.arrays and self.arrays[name].ndim == 3:
                self.arrays[name] = self.arrays[name][None]
        self.found: dict[str, float] = {}
        self.loose: set[str] = set()

    def has(self, *names: str) -> bool:
        return all(name in self.arrays for name in names)

    def compare(self, name: str, ours: Tensor, loose: bool = False) -> None:
        if name not in self.arrays:
            return
        theirs = self.arrays[name].reshape(-1)
        same = theirs.numel() == ours.numel()
        self.found[name] = float((ours.reshape(-1) - theirs).abs().max()) if same else float("inf")
        if loose:
            self.loose.add(name)


@torch.inference_mode()
def differences(model: nn.Module, arrays: Arrays) -> tuple[dict[str, float], frozenset[str]]:
    """Measure the largest difference of each recorded output.

    Returns:
        the differences by name, and the names of outputs that went through several stages.

    Args:
        arrays: pictures named as in ``PICTURES``, (3, S, S) in [0, 1]; for Monkey-Net ``kp_source_mean``,
            ``kp_source_var`` and so on, ``relative_deformation`` (h, w, 2 or 3), ``relative_prediction``,
            ``relative_deformed``, ``absolute_prediction``; for X2Face ``embedded_one``, ``result_one``,
            ``result_two``, ``driving_flow_before_second_tanh``.

    Raises:
        BundleError: the arrays have other shapes than the networks'.
    """
    compared = _Compared(arrays)
    try:
        if isinstance(model, MonkeyNet):
            _monkeynet(compared, model)
        elif isinstance(model, X2Face):
            _x2face(compared, model)
    except RuntimeError as error:
        message = Text("The arrays do not fit the configuration: their shapes differ.")
        raise BundleError(message, Text("Use arrays recorded with it.")) from error
    return compared.found, frozenset(compared.loose)


def _monkeynet(compared: _Compared, model: MonkeyNet) -> None:
    arrays = compared.arrays
    points: dict[str, PointTensors] = {}
    for who in ("source", "initial", "driving"):
        if not compared.has(who):
            continue
        found = model.kp_detector(arrays[who])
        compared.compare(f"kp_{who}_mean", found.value)
        compared.compare(f"kp_{who}_var", found.variance)
        parts = (f"kp_{who}_mean", f"kp_{who}_var")
        recorded = compared.has(*parts)
        points[who] = (
            PointTensors(*(arrays[part].reshape(own.shape) for part, own in zip(parts, found, strict=True)))
            if recorded
            else found
        )
    if not {"source", "driving"} <= points.keys():
        return
    photo, source, driving = arrays["source"], points["source"], points["driving"]
    absolute = model.generator(photo, source, driving)
    compared.compare("absolute_prediction", absolute.prediction, loose=True)
    compared.compare("absolute_deformed", absolute.deformed, loose=True)
    if "initial" in points:
        moved = driving.value - points["initial"].value + source.value
        _relative(compared, model, photo, source, PointTensors(moved, driving.variance))


def _relative(
    compared: _Compared, model: MonkeyNet, photo: Tensor, source: PointTensors, pose: PointTensors
) -> None:
    made = model.generator(photo, source, pose)
    if not compared.has("relative_deformation"):
        compared.compare("relative_prediction", made.prediction, loose=True)
        compared.compare("relative_deformed", made.deformed, loose=True)
        return
    recorded = compared.arrays["relative_deformation"]
    flow = recorded.reshape(-1, *recorded.shape[-3:])[
        ..., :2
    ].contiguous()  # the third coordinate is the time axis
    compared.arrays["relative_deformation"] = flow
    compared.compare("relative_deformation", made.flow)
    compared.compare("relative_deformed", model.generator.warped(photo, flow))
    compared.compare(
        "relative_prediction", model.generator.paint(model.generator.encode(photo), flow, source, pose)
    )


def _x2face(compared: _Compared, model: X2Face) -> None:
    arrays = compared.arrays
    embedded = {name: model.embed(arrays[name]) for name in ("source", "source2") if compared.has(name)}
    if "source" in embedded:
        compared.compare("embedded_one", embedded["source"].face, loose=True)
    if not compared.has("driving"):
        return
    code = model.read(arrays["driving"])
    compared.compare(
        "driving_flow_before_second_tanh", torch.tanh(model.driving.climb(code[..., None, None])), loose=True
    )
    if "source" in embedded:
        compared.compare("result_one", model.show(embedded["source"], code), loose=True)
    if len(embedded) == 2:
        both = Embedded(*(one + other for one, other in zip(*embedded.values(), strict=True)))
        compared.compare("result_two", model.show(both, code), loose=True)

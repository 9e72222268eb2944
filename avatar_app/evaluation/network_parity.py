"""Compare networks with arrays recorded from their originals, stage by stage.

Each stage gets its recorded input if there is one, not the output of our previous stage: otherwise the
contrast of a noise picture would multiply a last-bit difference in a mask.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from avatar_app.errors import BundleError
from avatar_app.networks.fomm.dense_motion import dense_flow, sparse_flows
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.grid import resize_flow, warp
from avatar_app.networks.monkeynet.keypoints import PointTensors
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.networks.x2face.model import Embedded, X2Face
from avatar_app.text import Text

Arrays = Mapping[str, npt.NDArray[np.float32]]
MODES = ("absolute", "relative", "relative_adapt", "relative_value_only")
PICTURES = ("source", "source2", "initial", "driving")


class _Recorded:
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

    def compare(self, name: str, ours: Tensor | None, loose: bool = False) -> None:
        """Note the largest difference; infinite for other shapes.

        Axes of length 1 do not count.
        """
        if name not in self.arrays:
            return
        theirs = self.arrays[name].squeeze()
        if ours is None or ours.squeeze().shape != theirs.shape:
            self.found[name] = float("inf")
        else:
            self.found[name] = float((ours.squeeze() - theirs).abs().max())
        if loose:
            self.loose.add(name)


@torch.inference_mode()
def network_differences(model: nn.Module, arrays: Arrays) -> tuple[dict[str, float], frozenset[str]]:
    """Measure the largest absolute difference of each recorded output.

    Returns:
        the differences by name, and the names of outputs that went through several stages.

    Args:
        arrays: pictures named as in ``PICTURES``, (3, S, S) or (B, 3, S, S) in [0, 1], and outputs. FOMM:
            ``kp_source_value``, ``kp_source_jacobian`` and so on, and for each of ``MODES`` for example
            ``relative_kp_value``, ``relative_prediction``, ``relative_mask``. Monkey-Net:
            ``kp_source_mean``, ``kp_source_var`` and so on, ``relative_deformation`` (h, w, 2 or 3),
            ``relative_prediction``, ``relative_deformed``, ``absolute_prediction``. X2Face:
            ``embedded_one``, ``result_one``, ``result_two``, ``driving_flow_before_second_tanh``.

    Raises:
        BundleError: the arrays have other shapes than the networks'.
    """
    recorded = _Recorded(arrays)
    try:
        if isinstance(model, Fomm):
            _fomm(recorded, model)
        elif isinstance(model, MonkeyNet):
            _monkeynet(recorded, model)
        elif isinstance(model, X2Face):
            _x2face(recorded, model)
    except (RuntimeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            Text("The arrays do not fit the configuration: their shapes differ."),
            Text("Use arrays recorded with it."),
        ) from error
    return recorded.found, frozenset(recorded.loose)


def _fomm(recorded: _Recorded, model: Fomm) -> None:
    for name in ("source", "initial", "driving"):
        if recorded.has(name):
            points = model.kp_detector(recorded.arrays[name])
            recorded.compare(f"kp_{name}_value", points.value)
            recorded.compare(f"kp_{name}_jacobian", points.jacobian)
    for mode in MODES:
        if recorded.has("source", "kp_source_value", f"{mode}_kp_value"):
            _fomm_mode(recorded, model, mode)


def _fomm_mode(recorded: _Recorded, model: Fomm, mode: str) -> None:
    photo = recorded.arrays["source"]
    source, pose = (
        KeyPointTensors(recorded.arrays[f"{name}_value"], recorded.arrays.get(f"{name}_jacobian"))
        for name in ("kp_source", f"{mode}_kp")
    )
    generated = model.generator(photo, source, pose)
    recorded.compare(f"{mode}_prediction", generated.prediction)
    recorded.compare(f"{mode}_mask", generated.motion.mask)
    recorded.compare(f"{mode}_occlusion_map", generated.motion.occlusion)
    recorded.compare(f"{mode}_sparse_deformed", generated.motion.warped)
    if recorded.has(f"{mode}_mask"):
        mask = recorded.arrays[f"{mode}_mask"]
        flow = dense_flow(mask, sparse_flows(source, pose, mask.shape[2], mask.shape[3]))
        flow = resize_flow(flow, photo.shape[2], photo.shape[3])
        recorded.compare(f"{mode}_deformed", warp(photo, flow, model.generator.align_corners))


def _monkeynet(recorded: _Recorded, model: MonkeyNet) -> None:
    arrays = recorded.arrays
    points: dict[str, PointTensors] = {}
    for who in ("source", "initial", "driving"):
        if not recorded.has(who):
            continue
        found = model.kp_detector(arrays[who])
        recorded.compare(f"kp_{who}_mean", found.value)
        recorded.compare(f"kp_{who}_var", found.variance)
        parts = (f"kp_{who}_mean", f"kp_{who}_var")
        points[who] = found
        if recorded.has(*parts):
            points[who] = PointTensors(
                *(arrays[part].reshape(own.shape) for part, own in zip(parts, found, strict=True))
            )
    if not {"source", "driving"} <= points.keys():
        return
    photo, source, driving = arrays["source"], points["source"], points["driving"]
    absolute = model.generator(photo, source, driving)
    recorded.compare("absolute_prediction", absolute.prediction, loose=True)
    recorded.compare("absolute_deformed", absolute.deformed, loose=True)
    if "initial" in points:
        moved = driving.value - points["initial"].value + source.value
        _relative(recorded, model, photo, source, PointTensors(moved, driving.variance))


def _relative(
    recorded: _Recorded, model: MonkeyNet, photo: Tensor, source: PointTensors, pose: PointTensors
) -> None:
    made = model.generator(photo, source, pose)
    if not recorded.has("relative_deformation"):
        recorded.compare("relative_prediction", made.prediction, loose=True)
        recorded.compare("relative_deformed", made.deformed, loose=True)
        return
    flow = recorded.arrays["relative_deformation"]
    # The third coordinate is the time axis.
    flow = flow.reshape(-1, *flow.shape[-3:])[..., :2].contiguous()
    recorded.arrays["relative_deformation"] = flow
    recorded.compare("relative_deformation", made.flow)
    recorded.compare("relative_deformed", model.generator.warped(photo, flow))
    recorded.compare(
        "relative_prediction", model.generator.paint(model.generator.encode(photo), flow, source, pose)
    )


def _x2face(recorded: _Recorded, model: X2Face) -> None:
    arrays = recorded.arrays
    embedded = {name: model.embed(arrays[name]) for name in ("source", "source2") if recorded.has(name)}
    if "source" in embedded:
        recorded.compare("embedded_one", embedded["source"].face, loose=True)
    if not recorded.has("driving"):
        return
    code = model.read(arrays["driving"])
    recorded.compare(
        "driving_flow_before_second_tanh", torch.tanh(model.driving.climb(code[..., None, None])), loose=True
    )
    if "source" in embedded:
        recorded.compare("result_one", model.show(embedded["source"], code), loose=True)
    if len(embedded) == 2:
        both = Embedded(*(one + other for one, other in zip(*embedded.values(), strict=True)))
        recorded.compare("result_two", model.show(both, code), loose=True)

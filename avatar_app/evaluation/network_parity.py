"""Compare the networks with arrays recorded from the original, stage by stage.

Each stage is given the recorded inputs of that stage, not the outputs of our previous one: otherwise the
contrast of a noise picture would multiply a last-bit difference in a mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avatar_app.errors import BundleError
from avatar_app.networks.fomm.dense_motion import dense_flow, sparse_flows
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.fomm.original import Original, build_fomm
from avatar_app.networks.grid import resize_flow, warp
from avatar_app.text import Text

Arrays = Mapping[str, npt.NDArray[np.float32]]
MODES = ("absolute", "relative", "relative_adapt", "relative_value_only")


def network_differences(original: Original, arrays: Arrays, align_corners: bool) -> dict[str, float]:
    """Return the largest absolute difference of each recorded output, by array name.

    Missing arrays are left out.

    Args:
        arrays: NCHW float32 pictures in [0, 1] named ``source``, ``initial``, ``driving``, and recorded
            outputs.

    Raises:
        BundleError: the arrays have other shapes than the networks'.
    """
    model = build_fomm(replace(original.config, align_corners=align_corners), original)
    found: dict[str, float] = {}
    try:
        _compare_all(found, arrays, model)
    except (RuntimeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            Text("The arrays do not fit the configuration: their shapes differ."),
            Text("Use arrays recorded with it."),
        ) from error
    return found


def _compare_all(found: dict[str, float], arrays: Arrays, model: Fomm) -> None:
    with torch.inference_mode():
        for name in ("source", "initial", "driving"):
            if name in arrays:
                points = model.kp_detector(torch.from_numpy(arrays[name]))
                _compare(found, arrays, f"kp_{name}_value", points.value)
                _compare(found, arrays, f"kp_{name}_jacobian", points.jacobian)
        for mode in MODES:
            if "source" in arrays and "kp_source_value" in arrays and f"{mode}_kp_value" in arrays:
                _compare_mode(found, arrays, model, mode)


def _compare_mode(found: dict[str, float], arrays: Arrays, model: Fomm, mode: str) -> None:
    photo = torch.from_numpy(arrays["source"])
    source, pose = _points(arrays, "kp_source"), _points(arrays, f"{mode}_kp")
    generated = model.generator(photo, source, pose)
    _compare(found, arrays, f"{mode}_prediction", generated.prediction)
    _compare(found, arrays, f"{mode}_mask", generated.motion.mask)
    _compare(found, arrays, f"{mode}_occlusion_map", generated.motion.occlusion)
    _compare(found, arrays, f"{mode}_sparse_deformed", generated.motion.warped)
    if f"{mode}_mask" in arrays:
        mask = torch.from_numpy(arrays[f"{mode}_mask"])
        flow = dense_flow(mask, sparse_flows(source, pose, mask.shape[2], mask.shape[3]))
        deformed = warp(
            photo, resize_flow(flow, photo.shape[2], photo.shape[3]), model.generator.align_corners
        )
        _compare(found, arrays, f"{mode}_deformed", deformed)


def _points(arrays: Arrays, name: str) -> KeyPointTensors:
    jacobian = arrays.get(f"{name}_jacobian")
    return KeyPointTensors(
        torch.from_numpy(arrays[f"{name}_value"]), None if jacobian is None else torch.from_numpy(jacobian)
    )


def _compare(found: dict[str, float], arrays: Arrays, name: str, ours: Tensor | None) -> None:
    if name not in arrays:
        return
    theirs = arrays[name]
    if ours is None or tuple(ours.shape) != theirs.shape:
        found[name] = float("inf")
        return
    found[name] = float(np.abs(ours.numpy() - theirs).max())

"""Compare a checkpoint's results here with arrays recorded from the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from avatar_app.errors import BundleError
from avatar_app.files import read_yaml, require_readable
from avatar_app.motion.fomm_transfer import transfer_absolute, transfer_relative
from avatar_app.text import Text
from avatar_app.types import Array, KeyPoints
from avatar_app.untrusted import read_in_child

LIMIT, LOOSE_LIMIT = 1e-5, 1e-4
"""Largest difference that float32 on a CPU explains: in one stage, and over several stages."""

NAMES_HINT = Text("Record them under names such as kp_source_value.")

Arrays = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The largest absolute difference of each array, and the convention of warps used.

    Attributes:
        loose: arrays that went through several stages.
    """

    differences: Mapping[str, float]
    align_corners: bool
    loose: frozenset[str] = frozenset()

    def limit(self, name: str) -> float:
        """Return the largest difference of an array that counts as equal."""
        return LOOSE_LIMIT if name in self.loose else LIMIT

    @property
    def agrees(self) -> bool:
        return all(found <= self.limit(name) for name, found in self.differences.items())  # false for NaN

    @property
    def worst(self) -> float:
        return max(np.nan_to_num(list(self.differences.values()), nan=np.inf), default=np.inf)


def compare(
    checkpoint: Path, configuration: Path | None, arrays_path: Path, align_corners: bool | None
) -> Comparison:
    """Run a checkpoint on recorded inputs.

    Args:
        align_corners: None: as the arrays state (an array of that name), else whichever is nearer.

    Raises:
        BundleError: the checkpoint or the arrays cannot be read, or there is nothing to compare.
        ConfigError: the configuration cannot be read.
    """
    arrays = read_arrays(arrays_path)
    if align_corners is None and "align_corners" in arrays and arrays["align_corners"].size == 1:
        align_corners = bool(arrays["align_corners"])
    from avatar_app.evaluation.network_parity import network_differences
    from avatar_app.networks.families import family_of, open_content
    from avatar_app.networks.fomm.original import build_fomm, original_of, read_weights

    content = read_weights(checkpoint)
    if configuration is None or family_of(content, checkpoint) != "fomm":
        model = open_content(content, checkpoint, configuration).graphs.model
        differences, loose = network_differences(model, arrays)
        comparisons = [Comparison(differences, True, loose)]
    else:
        original = original_of(content, read_yaml(configuration), checkpoint)
        require_points(arrays)
        motion = motion_differences(arrays)
        comparisons = []
        for each in (True, False) if align_corners is None else (align_corners,):
            model = build_fomm(replace(original.config, align_corners=each), original)
            differences, _ = network_differences(model, arrays)
            comparisons.append(Comparison({**differences, **motion}, each))
    if not comparisons[0].differences:
        raise BundleError(Text("{} holds no outputs to compare.", arrays_path), NAMES_HINT)
    return min(comparisons, key=lambda comparison: comparison.worst)


def read_arrays(path: Path) -> dict[str, Array]:
    """Read arrays by name, as float32, without running code. Raises BundleError."""
    require_readable(path, "array file", BundleError)
    return read_in_child(write_arrays, path)


def write_arrays(path: Path, target: Path) -> None:
    """Read an .npz file and write its arrays as float32 safetensors.

    Raises BundleError.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            save_file({name: np.array(stored[name], np.float32, order="C") for name in stored.files}, target)
    except MemoryError:
        raise
    except Exception:  # NumPy, zipfile, zlib and the tokeniser of headers raise almost any error
        raise BundleError(
            Text("{} is not a file of arrays, or it is damaged.", path),
            Text("Give an .npz file made by numpy.savez."),
        ) from None


def poses_of_modes(portrait: KeyPoints, neutral: KeyPoints, driving: KeyPoints) -> dict[str, KeyPoints]:
    """Return the pose to render in each of the original's four modes.

    By the prefix of recorded arrays.
    """
    return {
        "absolute": transfer_absolute(driving),
        "relative": transfer_relative(portrait, neutral, driving),
        "relative_adapt": transfer_relative(portrait, neutral, driving, adapt_scale=True),
        "relative_value_only": transfer_relative(portrait, neutral, driving, relative_jacobian=False),
    }


def require_points(arrays: Arrays) -> None:
    """Raise BundleError unless all key points are numbers of the right shapes.

    SciPy crashes on others.
    """
    value = arrays.get("kp_source_value", np.zeros((0, 10, 2), np.float32))
    shape = value.shape[:2] if value.ndim == 3 else (0, 0)
    for name, array in arrays.items():
        tail = {"value": (2,), "jacobian": (2, 2)}.get(name.rpartition("_")[2])
        if "kp_" not in name or tail is None:
            continue
        if array.shape != (*shape, *tail) or shape[1] < 3 or not np.isfinite(array).all():
            message = Text(
                "The recorded key points {} have the shape {}, or numbers that no key points have.",
                name,
                array.shape,
            )
            raise BundleError(message, Text("Use arrays recorded with this configuration."))


def motion_differences(arrays: Arrays) -> dict[str, float]:
    """Return the largest difference of each recorded pose.

    Poses are computed here from the recorded key points.
    """
    names = [f"kp_{name}_value" for name in ("source", "initial", "driving")]
    if not all(name in arrays for name in names):
        return {}
    found: dict[str, float] = {}
    for row in range(len(arrays["kp_source_value"])):
        portrait, neutral, driving = (_points(arrays, name, row) for name in ("source", "initial", "driving"))
        for mode, pose in poses_of_modes(portrait, neutral, driving).items():
            for part, ours in (("value", pose.value), ("jacobian", pose.jacobian)):
                name = f"{mode}_kp_{part}"
                if name in arrays and ours is not None:
                    found[name] = max(found.get(name, 0.0), float(np.abs(ours - arrays[name][row]).max()))
    return found


def _points(arrays: Arrays, name: str, row: int) -> KeyPoints:
    jacobian = arrays.get(f"kp_{name}_jacobian")
    return KeyPoints(arrays[f"kp_{name}_value"][row], None if jacobian is None else jacobian[row])

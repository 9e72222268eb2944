"""Lay ready expressions over the driver's: smile, wink, surprise, look.

Pure numpy. They change landmarks of the pose in the head's own frame, by measures of the face itself, so they
fit every photo and every landmark model. The driver's own expression stays: a driver who already smiles gets
no second smile.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import (
    BROWS,
    EYE_CORNERS,
    LEFT_IRIS,
    LID_PAIRS,
    MOUTH_RIGHT,
    RIGHT_BROW,
    RIGHT_IRIS,
)
from avatar_app.motion.eyes import lid_gaps
from avatar_app.motion.head import Points, angles, facing
from avatar_app.motion.mouth import MOVED, MOVES, lip_gaps, nose_length
from avatar_app.motion.smile import smile_of, with_less_smile
from avatar_app.motion.transfer import as_key_points, in_space
from avatar_app.types import Array, KeyPoints

PRESETS = ("smile", "wink", "surprise", "look")
"""Names of the ready expressions; ``look`` is into the camera."""

RISE, STAY, FALL = 0.25, 1.2, 0.4
"""Seconds over which a played expression rises, stays and falls."""

SMILE = 0.85
"""Smile as measured by `smile_of`."""

SQUINT = 0.12
"""How far lower lids rise with a smile, in gaps of the eye."""

WINKED = 0.01
"""Gap between the lids of a winking eye, in widths of the eye."""

SIDE_SMILE = 0.3
"""How much the mouth corner below a winking eye rises, in whole smiles."""

WIDE = 1.3
"""Opening of surprised eyes relative to the driver's."""

BROWS_UP = 0.16
"""How far brows rise in surprise, in nose lengths."""

MOUTH_OPEN = 0.26
"""Gap between surprised lips, in nose lengths."""

PARTED = 0.06, 0.14
"""Lip gaps in nose lengths over which the inside of the mouth becomes visible."""

EYEBALL = 0.41
"""Radius of an eyeball in widths of the eye."""

FARTHEST = 0.17
"""Largest shift of an iris, in widths of the eye."""

MOUTH, RIGHT, EYES = slice(0, 12), slice(12, 18), slice(12, 24)  # not landmarks
"""Slices of the expression code (``networks/expression.py``)."""

SHUT_EYE = (0.17, 0.53, 0.35, 0.51, 0.38, 0.28)
"""Code of a shut eye: the mean of four drivers while their eyes are shut."""

OPEN_MOUTH = (0.05, 0.1, 0.07, -0.89, -0.99, -0.73, 0.53, 0.67, 0.71, 0.97, -0.38, 0.11)
"""Code of a wide open mouth: the mean of one driver, since others show other teeth."""


class Presets:
    """Plays and holds ready expressions. Belongs to one thread.

    Args:
        rest: the avatar's own key points; their gaze counts as into the camera.
    """

    def __init__(self, rest: KeyPoints) -> None:
        self._rest = rest
        self._weights = dict.fromkeys(PRESETS, 0.0)
        self._until = dict.fromkeys(PRESETS, -np.inf)
        self._time: float | None = None

    def play(self, name: str, now: float) -> None:
        """Show an expression for a moment; playing it again extends it."""
        self._until[name] = now + RISE + STAY

    def follow(self, pose: KeyPoints, held: str, now: float) -> KeyPoints:
        """Return the pose to render.

        Args:
            held: name of the expression that stays, or empty.
            now: seconds, growing.
        """
        passed = 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        for name, weight in self._weights.items():
            on = name == held or now < self._until[name]
            step = passed / (RISE if on else -FALL)
            self._weights[name] = min(max(weight + step, 0.0), 1.0)
        return with_presets(pose, self._rest, {n: w * w * (3 - 2 * w) for n, w in self._weights.items()})


def with_presets(pose: KeyPoints, rest: KeyPoints, weights: dict[str, float]) -> KeyPoints:
    """Add ready expressions to a pose, each by its weight from 0 to 1.

    Key points other than landmarks stay as they are.
    """
    if pose.depth is None or not any(weights.values()):
        return pose
    face, code = in_space(pose), pose.expression
    parted = float(np.clip((lip_gaps(face).mean() - PARTED[0]) / (PARTED[1] - PARTED[0]), 0.0, 1.0))
    shapes = {"smile": _smiling, "wink": _winking, "surprise": _surprised}
    for name, weight in weights.items():
        if weight:
            shape = shapes.get(name)
            face = shape(face, weight) if shape else _looking(face, in_space(rest), weight)
            code = _painted(code, rest.expression, name, weight, parted)
    return replace(as_key_points(face), expression=code)


def _painted(code: Array | None, own: Array | None, name: str, weight: float, parted: float) -> Array | None:
    """Return the expression code that goes with a ready expression.

    Args:
        own: the photo's code.
        parted: 1 where the driver's lips are apart; the driver's numbers of the mouth's inside are kept then.
    """
    if code is None:
        return None
    wanted = code.copy()
    if name == "wink":
        wanted[RIGHT] = SHUT_EYE
    if name == "surprise":
        wanted[MOUTH] += (1 - parted) * (np.array(OPEN_MOUTH) - code[MOUTH])
    if name in ("surprise", "look") and own is not None:
        wanted[EYES] = own[EYES]
    return np.asarray(code + weight * (wanted - code), np.float32)


def _smiling(face: Points, weight: float) -> Points:
    faces = facing(face)
    missing = max(0.0, SMILE - smile_of(face, faces))
    face = with_less_smile(face, faces, -weight * missing)
    return _with_lids(face, np.arange(4), np.ones(4), weight * SQUINT * min(1.0, missing / SMILE))


def _winking(face: Points, weight: float) -> Points:
    faces = facing(face)
    pairs = np.array([0, 1])  # the right eye's
    left = np.minimum(WINKED / np.maximum(lid_gaps(face)[pairs], 1e-6), 1.0)
    winked = _with_lids(face, pairs, 1 + weight * (left - 1))
    winked[RIGHT_BROW] += weight * 0.04 * nose_length(face) * faces[:, 1]
    # Only that mouth corner: weighted by nearness.
    smiling = with_less_smile(winked, faces, -weight * SIDE_SMILE)
    across = (face - face[MOUTH_RIGHT]) @ faces[:, 0]
    width = max(float(across.max() - across[MOUTH_RIGHT]), 1e-6)
    return np.asarray(winked + np.clip(1 - across / (0.5 * width), 0.0, 1.0)[:, None] * (smiling - winked))


def _surprised(face: Points, weight: float) -> Points:
    faces, nose = facing(face), nose_length(face)
    face = face.copy()
    face[BROWS] -= weight * BROWS_UP * nose * faces[:, 1]
    missing = max(0.0, MOUTH_OPEN - float(lip_gaps(face).mean()))
    face[MOVED] += weight * missing * nose * MOVES @ faces.T
    return _with_lids(face, np.arange(4), np.full(4, 1 + weight * (WIDE - 1)))


def _looking(face: Points, rest: Points, weight: float) -> Points:
    """Place irises as in the photo, corrected for the turn of the head since then."""
    faces, at_rest = facing(face), facing(rest)
    yaw, pitch, _ = np.radians(np.subtract(angles(faces), angles(at_rest)))
    face = face.copy()
    for corners, iris in zip(EYE_CORNERS, (RIGHT_IRIS, LEFT_IRIS), strict=True):
        width, own = (float(np.linalg.norm(np.subtract(*each[corners]))) for each in (face, rest))
        place = (rest[iris] - rest[corners].mean(0)) @ at_rest * width / max(own, 1e-6)
        turn = np.array([-np.sin(yaw), np.sin(pitch), 0.0]) * EYEBALL
        place = place + np.clip(turn, -FARTHEST, FARTHEST) * width
        wanted = face[corners].mean(0) + place @ faces.T
        face[iris] += weight * (wanted - face[iris])
    return face


def _with_lids(face: Points, pairs: npt.NDArray[np.int_], opening: Points, lower: float = 0.0) -> Points:
    """Multiply the gap of ``LID_PAIRS[pairs]`` by ``opening``.

    Args:
        lower: fraction of the gap by which lower lids rise; upper ones stay then.
    """
    above, below = LID_PAIRS[pairs].T
    gap = face[above] - face[below]
    face = face.copy()
    face[above] = face[below] + opening[:, None] * gap
    face[below] += lower * gap
    return face

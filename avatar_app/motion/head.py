"""Separate a head's rigid motion from its expression; give both to another face.

For models whose key points are the 88 landmarks with depth. Pure NumPy, in three dimensions. The driver's
rigid motion since the neutral pose is fitted on landmarks that no expression moves; the remaining motion, in
the head's own frame, is the expression:

    pose = rigid motion (photo + expression)

All points are (88, 3): x right, y down, z away from the camera, in [-1, 1] of a square crop. Depth may be
underestimated, as long as it is for the driver and the photo alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import (
    CHIN,
    COUNT,
    EYE_CORNERS,
    FOREHEAD,
    IRISES,
    LIP_PAIRS,
    MEAN_FACE,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    OUTER_LIP_PAIRS,
    STABLE,
)
from avatar_app.motion.eyes import (
    CORNERS,
    compress,
    exaggerated,
    lid_gaps,
    open_lids,
    opening_of_both,
    within_eyes,
)
from avatar_app.motion.mouth import lip_gaps, with_mouth_of
from avatar_app.motion.silhouette import Outline
from avatar_app.motion.smile import believed, smile_of, with_less_smile

Points = npt.NDArray[np.float64]

_STRAIGHT = np.zeros((COUNT, 3))
_STRAIGHT[list(MEAN_FACE)] = list(MEAN_FACE.values())

HAIR, LEAST_DOWN = (0.28, 0.36), 0.05
"""Face heights of photo above the forehead: below the first value the photo cuts the hair, above the second
it does not. A photo that cuts it moves down by at most ``LEAST_DOWN``.
"""

ASIDE, LEAST_TURN = 0.8, 12.0
"""A photo that looks aside shows less of its far side, so its limit is lowered by this fraction of the
degrees by which it does, but not below ``LEAST_TURN`` degrees.
"""

CLOSED_MOUTH, PARTED_MOUTH = 0.02, 0.10
"""Gap between the lips in nose lengths: up to ``CLOSED_MOUTH`` the mouth counts as closed, beyond
``PARTED_MOUTH`` it stays as it is.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits within which a pose does not tear the picture.

    Motion beyond them is compressed, never cut off.

    Attributes:
        yaw, pitch, roll: degrees to either side.
        shift: of the head across the crop, in half sides; down: of that, towards the lower edge.
        scale: factor of size, larger or smaller.
    """

    yaw: float = 45.0
    pitch: float = 25.0
    roll: float = 25.0
    shift: float = 0.4
    down: float = 0.4
    scale: float = 1.3


@dataclass(frozen=True, slots=True)
class Strength:
    """Factors on the motion of head, face and irises: 0 none, 1 unchanged."""

    head: float = 1.0
    expression: float = 1.0
    gaze: float = 1.0


@dataclass(frozen=True, slots=True)
class Exaggeration:
    """Gains on landmarks that let the picture move as much as the driver.

    Landmarks of shut lids still have a fifth of the open gap between them. The landmark network measures four
    fifths of the irises' motion, of which pictures show six tenths. They show four fifths of nods
    (docs/benchmarks/history.md).

    Attributes:
        lids: gain on closing lids.
        gaze: gain on the movement of irises.
        pitch: gain on nods.
    """

    lids: float = 1.0
    gaze: float = 1.0
    pitch: float = 1.0


AS_SEEN = Exaggeration(lids=1.25, gaze=2.0, pitch=1.2)


@dataclass(frozen=True, slots=True)
class RigidMotion:
    """moved = scale * rotation (still - center) + center + shift."""

    scale: float
    rotation: Points
    center: Points
    shift: Points

    def apply(self, points: Points) -> Points:
        return self.scale * (points - self.center) @ self.rotation.T + self.center + self.shift

    def undo(self, points: Points) -> Points:
        return (points - self.center - self.shift) @ self.rotation / self.scale + self.center


def fit_rigid(source: Points, target: Points) -> RigidMotion:
    """Fit rotation, scale and shift from one face's stable landmarks to another's.

    Least squares (Umeyama 1991).
    """
    a, b = source[STABLE], target[STABLE]
    center_a, center_b = a.mean(0), b.mean(0)
    a, b = a - center_a, b - center_b
    left, singular, right = np.linalg.svd(b.T @ a)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = float(singular @ mirror / max((a * a).sum(), 1e-12))
    return RigidMotion(max(scale, 1e-6), (left * mirror) @ right, center_a, center_b - center_a)


def facing(face: Points) -> Points:
    """Return the rotation to a face (88, 3) from one that looks into the camera."""
    return fit_rigid(_STRAIGHT, face).rotation


def turned_alike(photo: Points, ahead: Points, driver: Points, pitch: float = 1.0) -> Points:
    """Return rotations by which a photo yaws, pitches and rolls like the driver.

    The driver's angles count from the neutral pose, the photo's from the frontal face. Angles are
    transferred, not the camera's rotation: a driver may face a screen beside the camera, and a nod then has a
    roll in camera coordinates that would tilt an avatar that faces the camera.

    Args:
        ahead: (3,) `angles` of the photo minus those of the driver's neutral pose.
        pitch: gain on nods.
    """
    own = np.array(angles(photo))
    turn = (ahead + angles(driver) - own) * (1.0, pitch, 1.0)
    return np.asarray(rotation_of(*(own + turn)) @ photo.T)


def angles(rotation: Points) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees.

    Yaw > 0: nose to the right of the image; pitch > 0: up; roll > 0: counter-clockwise in the image.
    """
    yaw = np.arctan2(-rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[1, 2], -1.0, 1.0))
    roll = np.arctan2(-rotation[1, 0], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def rotation_of(yaw: float, pitch: float, roll: float) -> Points:
    """Invert ``angles``: first roll, then pitch, then yaw."""
    (cy, cp, cr), (sy, sp, sr) = (
        np.cos(np.radians([yaw, pitch, roll])),
        np.sin(np.radians([yaw, pitch, roll])),
    )
    around_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    around_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    around_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(around_y @ around_x @ around_z)


def within(motion: RigidMotion, limits: Limits) -> RigidMotion:
    """Compress a motion into the limits."""
    yaw, pitch, roll = angles(motion.rotation)
    rotation = rotation_of(
        compress(yaw, limits.yaw), compress(pitch, limits.pitch), compress(roll, limits.roll)
    )
    scale = float(np.exp(compress(np.log(motion.scale), np.log(limits.scale))))
    distance = float(np.hypot(motion.shift[0], motion.shift[1]))
    shift = motion.shift * (compress(distance, limits.shift) / distance if distance > 0 else 1.0)
    shift[1] = min(shift[1], compress(shift[1], limits.down))
    return RigidMotion(scale, rotation, motion.center, shift)


def way_down(photo: Points) -> float:
    """Return how far a photo (88, 3) may move down.

    Hair that the photo's upper edge cuts has no end to show.
    """
    room = (photo[FOREHEAD, 1] + 1) / max(float(np.linalg.norm(photo[FOREHEAD] - photo[CHIN])), 1e-6)
    least, enough = HAIR
    return LEAST_DOWN + (Limits().down - LEAST_DOWN) * float(
        np.clip((room - least) / (enough - least), 0.0, 1.0)
    )


def weakened(motion: RigidMotion, strength: float) -> RigidMotion:
    """Scale the angles, shift and zoom of a motion."""
    if strength == 1.0:
        return motion
    yaw, pitch, roll = angles(motion.rotation)
    rotation = rotation_of(strength * yaw, strength * pitch, strength * roll)
    return RigidMotion(motion.scale**strength, rotation, motion.center, motion.shift * strength)


class HeadTransfer:
    """Gives a photo the head motion and expression of a driver.

    Args:
        photo: the photo's landmarks, (88, 3).
        neutral: the driver's landmarks at rest. The mouth is first opened or closed to the photo's, and a
            smile beyond the photo's is removed.
        adapt_scale: scale motion to the photo's face size.
        limits: limits of the pose.
        strength: factors on the driver's motion.
        exaggeration: gains on lids and irises.
    """

    def __init__(
        self,
        photo: Points,
        neutral: Points,
        *,
        adapt_scale: bool = True,
        limits: Limits | None = None,
        strength: Strength | None = None,
        exaggeration: Exaggeration | None = None,
    ) -> None:
        self._strength = strength or Strength()
        self._exaggeration = exaggeration or Exaggeration()
        self._photo_faces, self._neutral_faces = facing(photo), facing(neutral)
        self._ahead = np.subtract(angles(self._photo_faces), angles(self._neutral_faces))
        smiles = smile_of(neutral, self._neutral_faces) - smile_of(photo, self._photo_faces)
        neutral = with_less_smile(with_mouth_of(neutral, photo), self._neutral_faces, believed(smiles))
        self._photo, self._outline = photo, Outline(photo)
        self._neutral = neutral
        limits = limits or Limits()
        turn = limits.yaw - ASIDE * abs(angles(self._photo_faces)[0])
        self._limits = replace(
            limits, yaw=max(turn, min(limits.yaw, LEAST_TURN)), down=min(limits.down, way_down(photo))
        )
        between = fit_rigid(neutral, photo)
        self._size = between.scale if adapt_scale else 1.0
        self._between = between.rotation
        self._center = photo[STABLE].mean(0)
        self._lids = lid_gaps(neutral)
        corners = photo[EYE_CORNERS]
        self._eye_width = float(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1).mean())

    def __call__(self, driver: Points) -> Points:
        """Return the photo's landmarks in the pose to render."""
        motion = fit_rigid(self._neutral, driver)
        at_rest = motion.undo(driver)
        expression = (at_rest - self._neutral) @ self._between.T * self._size
        gains = self._exaggeration
        looks = gains.gaze * expression[IRISES].mean(0)
        looks = within_eyes(self._strength.gaze * looks, self._eye_width)
        face = self._photo + self._strength.expression * expression
        face[IRISES] = (
            self._photo[IRISES] + looks
        )  # both eyes look the same way, whatever the landmarks' noise
        # Lids and lips meet when the driver's do, at any strength.
        face = open_lids(
            face,
            self._photo,
            exaggerated(opening_of_both(lid_gaps(at_rest), self._lids), gains.lids),
        )
        face = close_lips(face, lip_closure(at_rest))
        turned = motion.rotation @ self._neutral_faces
        rotation = turned_alike(self._photo_faces, self._ahead, turned, gains.pitch)
        moved = RigidMotion(motion.scale, rotation, self._center, motion.shift * self._size)
        motion = within(weakened(moved, self._strength.head), self._limits)
        return motion.apply(face) + self._outline.correction(motion.apply(self._photo))


def lip_closure(driver: Points) -> float:
    """Return 1 if the driver's lips touch, falling to 0 where they are clearly apart."""
    return float(np.clip((PARTED_MOUTH - lip_gaps(driver).max()) / (PARTED_MOUTH - CLOSED_MOUTH), 0.0, 1.0))


def close_lips(face: Points, closure: float) -> Points:
    """Bring the lips together by ``closure`` (0 to 1); they never cross."""
    up = face[CORNERS].mean((0, 1)) - face[[MOUTH_RIGHT, MOUTH_LEFT]].mean(0)
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    between = face[LIP_PAIRS[:, 0]] - face[LIP_PAIRS[:, 1]]
    crossed = np.minimum(between @ up, 0.0)[:, None] * up
    change = ((between - crossed) * (1.0 - closure) - between) / 2
    face = face.copy()
    for lips in (LIP_PAIRS, OUTER_LIP_PAIRS):
        face[lips[:, 0]] += change
        face[lips[:, 1]] -= change
    return face

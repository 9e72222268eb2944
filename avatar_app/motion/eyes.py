"""Place lids and irises. Pure numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import EYE_CORNERS, LID_PAIRS

Points = npt.NDArray[np.float64]

CORNERS = np.repeat(EYE_CORNERS, 2, axis=0)
"""The corners of the eye that each of ``LID_PAIRS`` belongs to."""

CLOSED_EYE = 0.05
"""Gap between the landmarks of closed lids, in widths of the eye; open eyes have about 0.3."""

WIDER = 0.4
"""Limit to which eyes open wider than at rest, as a fraction of that gap: a driver may squint at rest."""

FARTHEST_LOOK = 0.27
"""Largest movement of an iris from its position in the photo, in widths of the eye."""

WINK = 0.25, 0.5
"""Difference in opening between the eyes: below the first value both move alike, above the second it is a
wink.
"""

SHUT = -0.15
"""How far beyond closed a lid may be driven, as a fraction of its open gap; lids never cross."""


def compress(value: float, limit: float) -> float:
    """Return ``value`` up to 70 % of ``limit``, then compressed below ``limit``."""
    knee = 0.7 * limit
    if abs(value) <= knee:
        return value
    return float(np.copysign(knee + (limit - knee) * np.tanh((abs(value) - knee) / (limit - knee)), value))


def within_eyes(looks: Points, width: float) -> Points:
    """Compress the shift (3,) of the irises below `FARTHEST_LOOK`.

    Beyond it, irises disappear under the lids, and the visible part follows the driver less.

    Args:
        width: of an eye, in the unit of ``looks``.
    """
    far = float(np.linalg.norm(looks)) / max(width, 1e-6)
    return looks if far == 0 else looks * (compress(far, FARTHEST_LOOK) / far)


def lid_gaps(face: Points) -> Points:
    """Return the distances (4,) between the ``LID_PAIRS`` in widths of their eye."""
    gap = np.linalg.norm(face[LID_PAIRS[:, 0]] - face[LID_PAIRS[:, 1]], axis=-1)
    width = np.linalg.norm(face[CORNERS[:, 0]] - face[CORNERS[:, 1]], axis=-1)
    return np.asarray(gap / np.maximum(width, 1e-6))


def lid_opening(gaps: Points, neutral_gaps: Points) -> Points:
    """Return the opening of the lids (4,): 0 shut, 1 at rest, at most 1 + ``WIDER``."""
    opening = np.maximum((gaps - CLOSED_EYE) / np.maximum(neutral_gaps - CLOSED_EYE, 0.05), 0.0)
    return np.where(opening < 1, opening, 1 + WIDER * np.tanh((opening - 1) / WIDER))


def opening_of_both(gaps: Points, neutral_gaps: Points) -> Points:
    """Return `lid_opening` (4,), the same for both eyes unless one of them winks.

    Eyes blink together, but landmarks of a far or blurred eye are noisy, and an eye that happened to be half
    shut in the neutral pose would stay wide open. It counts as a wink only if it is one both by each eye's
    own neutral gap and by that of both.
    """
    own = lid_opening(gaps, neutral_gaps)
    common = np.full(4, neutral_gaps.mean())
    apart = [eyes[:2].mean() - eyes[2:].mean() for eyes in (own, lid_opening(gaps, common))]
    agreed = max(min(apart), -max(apart))
    wink = np.clip((agreed - WINK[0]) / (WINK[1] - WINK[0]), 0.0, 1.0)
    together = lid_opening(np.full(4, gaps.mean()), common)
    return np.asarray(together + wink * (own - together))


def exaggerated(opening: Points, gain: float) -> Points:
    """Multiply closing beyond the neutral opening by ``gain``; wider openings stay."""
    if gain == 1.0:
        return opening
    return np.where(opening < 1, np.maximum(1 - gain * (1 - opening), SHUT), opening)


def open_lids(face: Points, photo: Points, opening: Points) -> Points:
    """Place the upper lids of a face.

    The gap is the photo's own times ``opening``, so that closed eyes close completely on every face.
    """
    upper, lower = LID_PAIRS.T
    direction = photo[upper] - photo[lower]
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-6)
    width = np.linalg.norm(photo[CORNERS[:, 0]] - photo[CORNERS[:, 1]], axis=-1)
    own = lid_gaps(photo)
    gap = np.where(
        own > CLOSED_EYE, CLOSED_EYE + (own - CLOSED_EYE) * opening, own
    )  # eyes that are shut in the photo stay shut
    face = face.copy()
    face[upper] = face[lower] + direction * (gap * width)[:, None]
    return face

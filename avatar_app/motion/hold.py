"""Bridge frames without a usable pose: hold, then ease back to the photo's pose."""

from __future__ import annotations

from avatar_app.types import KeyPoints, combine_key_points, key_points

HOLD = 0.5
"""Seconds for which the last pose is kept: a hand before the face, a quick turn."""

RELEASE = 0.8
"""Seconds from the last pose back to the photo's."""

RETURN = 0.25
"""Seconds from the photo's pose to the driver's when the face is back."""


class Hold:
    """Blends between the photo's pose and the driver's.

    Args:
        rest: the photo's own key points.
    """

    def __init__(self, rest: KeyPoints) -> None:
        self._rest = rest
        self._last = rest
        self._weight = 0.0
        self._time: float | None = None
        self._lost_at: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a usable pose has arrived."""
        return self._time is not None

    def follow(self, pose: KeyPoints, now: float) -> KeyPoints:
        """Return the pose to render for a frame with a usable pose."""
        gap = 0.0 if self._time is None else max(0.0, now - self._time)
        # The first pose needs no easing: nothing was shown before it.
        self._weight = 1.0 if self._time is None else min(1.0, self._weight + gap / RETURN)
        self._time, self._lost_at, self._last = now, None, pose
        return blend(self._rest, pose, _smooth(self._weight))

    def wait(self, now: float) -> KeyPoints | None:
        """Return the pose to render for a frame without one; None before the first pose."""
        if self._time is None:
            return None
        self._lost_at = now if self._lost_at is None else self._lost_at
        gap = now - self._time
        self._time = now
        if now - self._lost_at > HOLD:
            self._weight = max(0.0, self._weight - gap / RELEASE)
        return blend(self._rest, self._last, _smooth(self._weight))


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)


def blend(rest: KeyPoints, pose: KeyPoints, share: float) -> KeyPoints:
    """Interpolate from ``rest`` (0) to ``pose`` (1)."""
    if share >= 1:
        return pose

    mixed = combine_key_points(lambda first, second: first + share * (second - first), rest, pose)
    return key_points({**pose.parts, **mixed.parts})

"""Choose the face that drives the avatar, among all in the picture, and follow it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_app.faces.detector import FaceDetector, FaceTracker
from avatar_app.faces.liveness import Liveness
from avatar_app.landmarks import face_height
from avatar_app.types import Face, Image

LOOK_AGAIN = 1.0
"""Seconds between searches of the whole picture while a face is followed; each costs about 13 ms of one
thread.
"""

BETTER, BETTER_AFRESH = 1.5, 1.15
"""Factor by which another face's score must exceed the followed one's: in two consecutive searches, and in
one search when the choice is repeated.
"""

STILL, LONG_STILL = 5.0, 20.0
"""Seconds without motion after which a face counts as a picture: one that has never moved, and one that has.
People who stare blink every few seconds.
"""

PICTURE = 0.2
"""Factor on the score of such a face."""

FAR_OFF = 0.4
"""Fraction of its score that a face at the edge of the picture loses."""

SMALLER = 0.6
"""A new face of less than this fraction of the driver's height belongs to somebody in the background."""

ABSENCE = 1.0
"""Seconds without the driver after which a moving face in the background may take over."""

FORGOTTEN = 10.0
"""Seconds after which an unseen face is forgotten."""


@dataclass(slots=True, eq=False)
class Other:
    """A face that is seen but not followed."""

    face: Face
    liveness: Liveness
    since: float
    seen_at: float
    wins: int = 0


class FaceChoice:
    """Follows one face through a video.

    All faces are searched about once a second, and another is chosen if it fits better. Large, central and
    moving faces are preferred, and the one followed so far. Not thread-safe.

    Attributes:
        picture: the followed face has not moved for seconds: a poster or a photo on the wall.
        proven: the followed face has moved since it was chosen.
        changes: number of times another face was chosen.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._tracker = FaceTracker(detector)
        self.changes = 0
        self.reset()

    def reset(self) -> None:
        """Forget all faces, for instance after another camera was chosen."""
        self._tracker.reset()
        self._liveness: Liveness | None = None
        self._last: Face | None = None
        self._seen_at = self._looked_at = self._due = -np.inf
        self._others: list[Other] = []
        self._wanted: tuple[float, float] | None = None
        self._afresh = self._pinned = self._followed = self.picture = False

    @property
    def proven(self) -> bool:
        return self._liveness is not None and self._liveness.moved

    @property
    def only_pictures(self) -> bool:
        """Whether there are faces, but none that moves."""
        return self.picture or (not self._followed and bool(self.others))

    @property
    def others(self) -> list[Face]:
        """Return the faces of the last search that are not followed."""
        return [other.face for other in self._others if other.seen_at == self._looked_at]

    def choose_again(self) -> None:
        """Choose the best face in the next frame, with a small bonus for the current one."""
        self._due, self._afresh = -np.inf, not self._pinned

    def choose_at(self, x: float, y: float) -> None:
        """Follow the face nearest to a point until it is gone.

        The point is in fractions of the picture's width and height.
        """
        self._wanted, self._due = (x, y), -np.inf

    def track(self, image: Image, now: float) -> Face | None:
        """Return the driver's face in the next frame (H, W, 3), captured at ``now``.

        None: no face that may drive.
        """
        face = self._tracker.follow(image)
        if face is not None and self._last is not None and not _alike(face, self._last):
            self._tracker.reset()  # it moved from a driver who left to somebody behind
            face = None
        if face is not None:
            self._note(face, now)
        if face is None or now >= self._due:
            face = self._look(image, face, now)
        self._followed = face is not None
        self.picture = face is not None and _is_picture(self._liveness)
        return face

    def _note(self, face: Face, now: float) -> None:
        assert self._liveness is not None
        self._liveness.add(face.points, now)
        self._last, self._seen_at = face, now

    def _look(self, image: Image, followed: Face | None, now: float) -> Face | None:
        """Search the whole picture, and choose."""
        found = self._detector.find(image, levels=2 if followed is None or self.picture else 1)
        self._looked_at, self._due = now, now + LOOK_AGAIN
        self._take_others([face for face in found if followed is None or not _same(face, followed)], now)
        wanted, self._wanted = self._wanted, None
        afresh, self._afresh = self._afresh, False
        size = (image.shape[1], image.shape[0])
        if wanted is not None:
            return self._pin(followed, np.array(wanted) * size, now)
        if followed is None:
            self._pinned = False
            fit = [other for other in self._others if other.seen_at == now and self._may_drive(other, now)]
            best = max(fit, key=lambda other: _score(other.face, other.liveness, size), default=None)
        else:
            best = self._challenger(followed, afresh, size, now)
        return followed if best is None else self._follow(best, now)

    def _take_others(self, found: list[Face], now: float) -> None:
        """Update the list of other faces."""
        for face in found:
            same = next((other for other in self._others if _same(face, other.face)), None)
            if same is None:
                self._others.append(Other(face, Liveness(face.points, now), now, now))
            else:
                same.face, same.seen_at = face, now
                same.liveness.add(face.points, now)
        self._others = [other for other in self._others if now - other.seen_at < FORGOTTEN]

    def _pin(self, followed: Face | None, point: npt.NDArray[np.float64], now: float) -> Face | None:
        """Return the face that the user pointed at, which may be the followed one."""
        here = [other for other in self._others if other.seen_at == now]
        nearest = min(here, key=lambda other: _distance(other.face, point), default=None)
        if nearest is None or (
            followed is not None and _distance(followed, point) <= _distance(nearest.face, point)
        ):
            self._pinned = followed is not None
            return followed
        face = self._follow(nearest, now)
        self._pinned = True
        return face

    def _may_drive(self, other: Other, now: float) -> bool:
        """Whether a face may take over while the driver is not seen.

        Immediately only if it may be the driver's.
        """
        beside = other.since <= self._seen_at  # it was visible together with the driver
        if self._last is None or not (
            beside or face_height(other.face.points) < SMALLER * face_height(self._last.points)
        ):
            return True
        lively = other.liveness.moved and other.liveness.still < STILL
        return lively and now - self._seen_at >= ABSENCE

    def _challenger(self, followed: Face, afresh: bool, size: tuple[int, int], now: float) -> Other | None:
        """Return another face that was better than the followed one in two searches.

        In one search if the choice is repeated.
        """
        needed = _score(followed, self._liveness, size) * (BETTER_AFRESH if afresh else BETTER)
        better = []
        for other in self._others:
            score = _score(other.face, other.liveness, size)
            wins = other.seen_at == now and not self._pinned and score > needed
            other.wins = other.wins + 1 if wins else 0
            if other.wins >= (1 if afresh or self.picture else 2):
                better.append((score, other))
        return max(better, key=lambda pair: pair[0])[1] if better else None

    def _follow(self, other: Other, now: float) -> Face:
        """Follow this face from now on; the one followed before becomes one of the others."""
        last, liveness = self._last, self._liveness
        same = last is not None and _same(last, other.face)
        if last is not None and liveness is not None and not same:
            self.changes += 1
            if self._seen_at == now:
                self._others.append(Other(last, liveness, now, now))
        self._others.remove(other)
        self._pinned = False
        back = same and now - self._seen_at < ABSENCE  # for instance from behind a hand
        self._last, self._seen_at, self._liveness = other.face, now, liveness if back else other.liveness
        return self._tracker.begin(other.face)


def _score(face: Face, liveness: Liveness | None, size: tuple[int, int]) -> float:
    """Score a face as the driver's.

    Its height, less at the picture's edge, much less for a picture of a face.
    """
    half = np.array(size) / 2
    middle = face.points[:, :2].mean(0)
    away = min(1.0, float(np.max(np.abs(middle - half) / half)))
    return face_height(face.points) * (1 - FAR_OFF * away) * (PICTURE if _is_picture(liveness) else 1.0)


def _is_picture(liveness: Liveness | None) -> bool:
    return liveness is not None and liveness.still > (LONG_STILL if liveness.moved else STILL)


def _same(one: Face, other: Face) -> bool:
    """Whether two faces of about the same time are one."""
    return _distance(one, other.points[:, :2].mean(0)) < 0.5 * max(
        face_height(one.points), face_height(other.points)
    )


def _alike(one: Face, other: Face) -> bool:
    """Whether two faces have about the same size."""
    first, second = face_height(one.points), face_height(other.points)
    return min(first, second) >= SMALLER * max(first, second)


def _distance(face: Face, point: npt.NDArray[np.floating]) -> float:
    """Return the distance from a face's middle to a point, in pixels."""
    return float(np.linalg.norm(face.points[:, :2].mean(0) - point))

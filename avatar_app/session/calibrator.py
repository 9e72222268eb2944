"""Take the neutral pose, when the user asks or at the best moment while they look."""

from __future__ import annotations

import time

from avatar_app.motion.calibration import Calibration
from avatar_app.motion.match import Match
from avatar_app.session.controls import Controls
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.types import KeyPoints

BETTER = 0.01
"""By how much a moment must beat the best one so far while seeking."""


class Calibrator:
    """Runs calibrations. Belongs to one thread.

    Attributes:
        found: better moments that seeking has found since the start.
    """

    def __init__(self, neutrals: NeutralKeeper, controls: Controls) -> None:
        self._neutrals = neutrals
        self._asked = controls.calibrations
        self._running: Calibration | None = None
        self._seeking = False
        self._best = 0.0
        self.found = 0

    @property
    def share(self) -> float | None:
        """How much of a running calibration is done; None: none runs."""
        running = self._running
        return running.share if running else None

    def follow(self, controls: Controls) -> bool:
        """Begin what the user asks for; returns whether a calibration begins now."""
        if controls.seeking and not self._seeking:
            self._best = 0.0
        self._seeking = controls.seeking
        if controls.calibrations == self._asked:
            return False
        self._asked = controls.calibrations
        self._running = Calibration(time.monotonic())
        return True

    def begin_avatar(self) -> None:
        """There is a new avatar: the best moment so far means nothing for it."""
        self._best = 0.0

    def wait(self) -> None:
        """There is nothing to see: a running calibration starts again."""
        if self._running is not None:
            self._running = Calibration(time.monotonic())

    def add(self, points: KeyPoints, match: Match | None, proven: bool) -> None:
        """Take in one good frame.

        Args:
            proven: the face has moved, so it is not a picture.
        """
        if self._running is not None:
            neutral = self._running.add(points, time.monotonic())
            if neutral is not None:
                self._running = None
                self._neutrals.take(neutral, proven)
        elif self._seeking and match is not None and match.score > self._best + BETTER:
            self._best = match.score
            self.found += 1
            self._neutrals.take(points, proven)

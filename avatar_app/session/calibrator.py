"""Calibrate when the user asks, or at the best moment while seeking."""

from __future__ import annotations

import time

from avatar_app.motion.calibration import Calibration
from avatar_app.motion.match import Match
from avatar_app.session.controls import Controls
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.types import KeyPoints

BETTER = 0.01
"""Least improvement over the best match so far while seeking."""


class Calibrator:
    """Runs calibrations. Belongs to one thread.

    Attributes:
        found: number of better moments found by seeking since the start.
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
        """Progress of a running calibration; None: none runs."""
        running = self._running
        return running.share if running else None

    def follow(self, controls: Controls) -> bool:
        """Start what the controls ask for; return whether a calibration starts now."""
        if controls.seeking and not self._seeking:
            self._best = 0.0
        self._seeking = controls.seeking
        if controls.calibrations == self._asked:
            return False
        self._asked = controls.calibrations
        self._running = Calibration(time.monotonic())
        return True

    def begin_avatar(self) -> None:
        """Forget the best moment so far, which belongs to another avatar."""
        self._best = 0.0

    def wait(self) -> None:
        """Restart a running calibration, because no face is visible."""
        if self._running is not None:
            self._running = Calibration(time.monotonic())

    def add(self, points: KeyPoints, match: Match | None, proven: bool) -> None:
        """Add a good frame.

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

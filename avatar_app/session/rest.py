"""Decide when a session rests: nobody looks at this screen or watches the output."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls

PATIENCE = 10.0
"""Seconds without a viewer and without a command until the session rests."""

LOOK = 0.05
"""Seconds between checks for a viewer while it rests."""

FEED = 0.5
"""Seconds between pictures for the output while it rests, so that a new viewer sees one at once."""

WAKING = 3.0
"""Seconds for which the last picture stays until the camera gives new ones."""


class Rest:
    """Decides whether to rest, in one thread; ``resting`` may be read from any.

    Attributes:
        resting: the camera is closed, and nothing is rendered.
        begun: called when it starts.
        kept: what the output shows while resting and waking.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._controls = self._asked = Controls()
        self._since = self._woken_at = clock()
        self.resting = False
        self.begun: Callable[[], object] = lambda: None
        self.kept: Outgoing | None = None

    @property
    def is_waking(self) -> bool:
        """Whether it has rested until just now."""
        return not self.resting and self._clock() - self._woken_at < WAKING

    def follow(self, controls: Controls, watched: bool | None) -> bool:
        """Decide again; return ``resting``.

        Args:
            watched: whether somebody watches the output; None: unknown, so there is no rest.
        """
        if controls is not self._controls:
            asked = replace(controls, pass_through=False, may_rest=False)
            if asked != self._asked:
                self._since = self._clock()  # a request shows that somebody is there
            self._controls, self._asked = controls, asked
        may = controls.may_rest and controls.recording is None and watched is False
        if not may:
            self._since = self._clock()
        rests = may and self._clock() - self._since >= PATIENCE
        if rests and not self.resting:
            self.resting = True
            self.begun()
        elif self.resting and not rests:
            self._woken_at = self._clock()
            self.resting = False
        return self.resting

"""Keep the wanted output open; one that failed is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable

from avatar_app.errors import OutputError
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import Sink
from avatar_app.session.controls import Controls
from avatar_app.session.rest import Rest
from avatar_app.session.stage import Notices

SINK_PATIENCE = 3.0
"""Seconds until an output that failed is tried again."""

OpenSink = Callable[[str, str, tuple[int, int], int], Sink]


class SinkKeeper:
    """Holds one sink. Belongs to one thread.

    Args:
        report: shows a failure to the user.

    Attributes:
        rest: decides whether anybody watches the output or this screen.
        description: the open output's name for people, empty without one.
    """

    def __init__(self, open_sink: OpenSink, notices: Notices, report: Callable[[Exception], None]) -> None:
        self._open_sink, self._notices, self._report = open_sink, notices, report
        self._sink: Sink | None = None
        self._key: tuple[object, ...] = ()
        self._retry_at = 0.0
        self.rest = Rest()
        self.description = ""

    def begin(self) -> None:
        """Open the wanted output at the next ``follow``."""
        self._key, self._retry_at = (), 0.0

    def hurry(self) -> None:
        """Retry an output that failed now. May be called from any thread."""
        self._retry_at = 0.0

    def follow(self, controls: Controls) -> None:
        """Open the wanted output.

        While that fails, the preview and a recording continue without it.
        """
        key = (controls.output, controls.output_device, controls.size, controls.fps)
        if key != self._key:
            self.close()
            self._notices.clear("output")
            self._key, self._retry_at = key, 0.0
        if self._sink is None and time.monotonic() >= self._retry_at:
            try:
                self._sink = self._open_sink(*key)
            except OutputError as error:
                self._fail(error)
                return
            self.description = self._sink.name
            self._notices.clear("output")

    def send(self, picture: Outgoing) -> bool:
        """Send a picture; return whether an output took it."""
        if self._sink is None:
            return False
        try:
            self._sink.send(picture)
        except OutputError as error:
            self._fail(error)
            return False
        return True

    def rests(self, controls: Controls) -> bool:
        """Whether nobody watches; unknown without an open output."""
        return self.rest.follow(controls, self._sink.watched() if self._sink is not None else None)

    def close(self) -> None:
        """Close the sink, if one is open."""
        self.description = ""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _fail(self, error: OutputError) -> None:
        self.close()
        self._retry_at = time.monotonic() + SINK_PATIENCE
        self._report(error)

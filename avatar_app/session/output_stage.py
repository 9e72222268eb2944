"""The output thread: send the newest picture on its background, or the still card.

Sinks and recordings accept only ``Outgoing``, which the canvas makes from a ``Picture``. The one place where
a camera's ``Frame`` may become one is ``OutputStage._self``, which needs the user's confirmed
``pass_through``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.still_card import still_card
from avatar_app.session.composer import Composer
from avatar_app.session.controls import Controls, Notice, Shows
from avatar_app.session.rest import FEED, LOOK, Rest
from avatar_app.session.sink_keeper import OpenSink, SinkKeeper
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices, Stage
from avatar_app.session.statistics import Meter
from avatar_app.text import Text
from avatar_app.types import Frame, Picture

STALE = 1.0
"""Seconds after its frame's capture from which a picture is no longer shown."""

SLOWEST = 3.0
"""Upper limit of this age for a slow engine, whose pictures are old when they arrive: 2.5 times the time for
one. With less, avatar and card would alternate.
"""

HUNG = 5.0
"""Seconds without a new picture, while the camera gives frames, after which the user gets a notice."""

EARLIEST, LATEST = 0.75, 1.5
"""When to send, in intervals since the last picture.

A new picture is sent at once after `EARLIEST`. Without one, the old picture is sent again after `LATEST`. So
an irregular camera of the same rate sets the pace, and a new picture never waits for a clock.
"""


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """What to show now: the kind, and for the card the reason."""

    shows: Shows
    reason: str = ""


STALE_CARD = OutputChoice("card", "stale")


@dataclass(frozen=True, slots=True)
class Sending:
    """When a picture was sent, and whether it was a new one."""

    at: float = 0.0
    fresh: bool = False


class OutputStage(Stage):
    """Sends pictures at the requested rate.

    A new picture as soon as it arrives, else the last one again. Public attributes may be read from any
    thread.

    Args:
        why_card: returns why no avatar can be shown now, empty if one can.
    """

    def __init__(
        self,
        open_sink: OpenSink,
        controls: Callable[[], Controls],
        pictures: Slot[Picture],
        frames: Slot[Frame],
        sent: Slot[Outgoing],
        why_card: Callable[[], str],
        meter: Meter,
        notices: Notices,
    ) -> None:
        super().__init__("output", "output", notices, ("retry", "choose-output", "doctor"))
        self._controls = controls
        self._pictures = pictures
        self._frames = frames
        self._sent = sent
        self._why_card = why_card
        self._meter = meter
        self._sink = SinkKeeper(open_sink, notices, self._report)
        self._composer = Composer(notices)
        self._seen: Frame | None = None
        self._stale_since = 0.0
        self._hung: Notice | None = None
        self._last = Sending()
        self.choice = OutputChoice("card", "starting")
        self.shown: Outgoing | None = None
        self.avatars = 0

    @property
    def description(self) -> str:
        """The open output's name for people, empty without one."""
        return self._sink.description

    @property
    def rest(self) -> Rest:
        """Return whether nobody watches, so that no new picture is shown."""
        return self._sink.rest

    def open(self) -> None:
        self._sink.begin()
        for reason in ("starting", "paused", "stale"):
            still_card(self._controls().size, reason)  # drawn now, so that it is ready when needed

    def close(self) -> None:
        self._sink.close()

    def hurry(self) -> None:
        """Retry an output that failed now."""
        self._sink.hurry()
        super().hurry()

    def step(self) -> None:
        controls = self._controls()
        self._sink.follow(controls)
        if self._sink.rests(controls):
            self._idle(controls)
            return
        picture, fresh = self._next(controls)
        if picture is not None:
            self._send(picture, fresh)

    def _idle(self, controls: Controls) -> None:
        """Send a picture now and then while nobody watches. Never the camera's."""
        kept = self.rest.kept
        if kept is None or kept.size != controls.size:
            if self.shown is not None and self.choice.shows == "avatar":
                kept = self.shown
            else:
                self.choice = OutputChoice("card", self.choice.reason or "stale")
                kept = _card(controls, self.choice.reason)
            self.rest.kept = kept
        if time.monotonic() - self._last.at >= FEED:
            self._send(kept, False)
        self._stopping.wait(LOOK)

    def _send(self, picture: Outgoing, fresh: bool) -> None:
        if self._sink.send(picture):
            self.avatars += bool(picture.avatar)
        now = time.monotonic()
        self._meter.sent(now - picture.captured_at if fresh else None)
        self._last = Sending(now, fresh)
        self.shown = picture
        self._sent.put(picture)

    def _next(self, controls: Controls) -> tuple[Outgoing | None, bool]:
        """Wait for the next picture to send; return it and whether it is new.

        None: stopping.
        """
        interval = 1 / controls.fps
        # A new picture waits only for the new one before it: behind a repeat it would only age.
        earliest = self._last.at + EARLIEST * interval if self._last.fresh else 0.0
        if self._stopping.wait(max(0.0, earliest - time.monotonic())):
            return None, False
        until = self._last.at + (LATEST if self._last.fresh else 1.0) * interval
        patience = max(0.0, until - time.monotonic())
        fresh: object
        if controls.pass_through and not controls.paused:
            fresh = frame = self._frames.watch(self._seen, patience)
            self._seen = frame or self._seen
        else:
            fresh, self._seen = self._pictures.take(patience), None
        now = self._controls()
        if now.paused or (
            controls.pass_through and not now.pass_through
        ):  # a user who hides during the wait is hidden at once
            controls, fresh = replace(controls, paused=now.paused, pass_through=False), None
        choice = self._choose(controls)
        kept = self.rest.kept
        if kept is not None and choice == STALE_CARD and self.rest.is_waking and kept.size == controls.size:
            return kept, False
        self.choice = choice
        self.rest.kept = None
        if choice.shows == "self":
            return self._self(controls), fresh is not None
        if choice.shows == "card":
            return _card(controls, choice.reason), False
        picture = self._pictures.peek()
        if picture is None:  # cleared at this moment
            return _card(controls, "stale"), False
        return self._composer.picture(picture, controls), fresh is not None

    def _choose(self, controls: Controls) -> OutputChoice:
        if controls.paused:
            return OutputChoice("card", "paused")
        if controls.pass_through:
            frame = self._seen
            recent = frame is not None and time.monotonic() - frame.captured_at < STALE
            return OutputChoice("self") if recent else OutputChoice("card", "no-camera")
        if reason := self._why_card():
            return OutputChoice("card", reason)
        picture = self._pictures.peek()
        now = time.monotonic()
        if picture is None or self._is_stale(now - picture.captured_at):
            self._report_hanging(now)
            return OutputChoice("card", "stale")
        self._stale_since = 0.0
        self._notices.withdraw(self._hung)
        return OutputChoice("avatar")

    def _is_stale(self, age: float) -> bool:
        return age > STALE and age > min(SLOWEST, 2.5 * self._meter.making())

    def _report_hanging(self, now: float) -> None:
        if not self._stale_since or self._notices.about("face") or self.choice.reason != "stale":
            self._stale_since = now
        elif now - self._stale_since > HUNG and self._notices.about("engine") is None:
            message = Text("The model has given no picture for {:.0f} seconds.", HUNG)
            self._hung = Notice(
                "engine",
                "error",
                message,
                Text("If none comes, start the app again and choose another model."),
                ("doctor",),
            )
            self._notices.put(self._hung)

    def _self(self, controls: Controls) -> Outgoing:
        """Return the camera's picture of the user.

        Reached only with ``pass_through``, which the user has confirmed.
        """
        frame = self._seen
        if frame is None or not controls.pass_through:
            return _card(controls, "no-camera")
        canvas = self._composer.canvas(controls)
        return self._composer.once(frame, canvas.compose_wide)


def _card(controls: Controls, reason: str) -> Outgoing:
    return Outgoing(still_card(controls.size, reason), time.monotonic(), is_card=True)

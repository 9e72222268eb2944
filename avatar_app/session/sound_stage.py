"""The sound thread: a microphone to recordings and calls, in time with pictures."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from avatar_app.errors import SoundError
from avatar_app.session.controls import Controls, Notice
from avatar_app.session.stage import Again, Notices, Stage
from avatar_app.sound.microphone import Block, Microphone
from avatar_app.sound.virtual_microphone import VirtualMicrophone

WAIT, WAIT_PASSING = 0.1, 0.005
"""Seconds to wait for sound: longer than a block, and shorter if sound is passed on to calls meanwhile."""

REMEASURE = 0.5
"""Seconds between measurements of the picture's latency."""

MOST = 1000
"""Limit of blocks that wait for a slow disk."""

Wanted = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Heard:
    """A block of sound, and the picture's delay in seconds."""

    block: Block
    delay: float


class SoundStage(Stage):
    """Listens while a recording or the app's own microphone needs sound.

    Args:
        latency: seconds from a frame's capture to its picture's sending; 0 if none was sent lately.
    """

    def __init__(
        self,
        open_microphone: Callable[[str], Microphone],
        open_virtual: Callable[[], VirtualMicrophone],
        controls: Callable[[], Controls],
        latency: Callable[[], float],
        notices: Notices,
    ) -> None:
        super().__init__("microphone", "sound", notices, ("retry", "choose-microphone"))
        self._open_microphone, self._open_virtual = open_microphone, open_virtual
        self._controls, self._latency = controls, latency
        self._wanted: Wanted | None = None
        self._microphone: Microphone | None = None
        self._virtual: VirtualMicrophone | None = None
        self._delay = self._measured_at = 0.0
        self._heard: deque[Heard] = deque(maxlen=MOST)

    def take(self) -> list[Heard]:
        """Return the sound since the last call, for a recording. For one other thread."""
        return [self._heard.popleft() for _ in range(len(self._heard))]

    def open(self) -> None:
        self._wanted = _wanted(self._controls())
        if self._wanted is None or not self._wanted[1]:
            self._close_virtual()
        if self._wanted is None:
            self._notices.clear("sound")
            return
        name, passed_on = self._wanted
        if self._controls().recording is not None:
            self._heard.clear()  # sound of an earlier recording
        refused: SoundError | None = None
        if self._virtual:
            self._virtual.begin_again()
        elif passed_on:
            try:
                self._virtual = self._open_virtual()
            except SoundError as problem:
                refused = problem
        self._microphone = self._open_microphone(name)
        self._notices.clear("sound")
        if refused is not None:  # the recording has sound nevertheless
            self._notices.put(Notice("sound", "warning", refused.message, refused.hint))

    def step(self) -> None:
        controls = self._controls()
        if _wanted(controls) != self._wanted:
            raise Again
        if self._microphone is None:
            self._stopping.wait(WAIT)
            return
        block = self._microphone.read(WAIT_PASSING if self._virtual else WAIT)
        now = time.monotonic()
        if now - self._measured_at > REMEASURE:
            self._delay, self._measured_at = self._latency() or self._delay, now
        if block is not None:
            if controls.recording is not None:
                self._heard.append(Heard(block, self._delay))
            if self._virtual:
                self._virtual.play(block, self._delay)
        if self._virtual:
            self._pass_on(self._virtual, now)

    def close(self) -> None:
        """Close the microphone.

        The app's own stays for the calls that listen to it, as long as it is wanted.
        """
        microphone, self._microphone = self._microphone, None
        try:
            if microphone is not None:
                microphone.close()
        finally:
            if self.stopping:
                self._close_virtual()

    def _pass_on(self, virtual: VirtualMicrophone, now: float) -> None:
        try:
            virtual.pass_on(now)
        except SoundError:
            self._close_virtual()
            raise

    def _close_virtual(self) -> None:
        virtual, self._virtual = self._virtual, None
        if virtual is not None:
            virtual.close()


def _wanted(controls: Controls) -> Wanted | None:
    if not controls.microphone or not (controls.pass_sound or controls.recording):
        return None
    return controls.microphone, controls.pass_sound

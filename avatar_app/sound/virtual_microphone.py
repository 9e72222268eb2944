"""A microphone for calls, on Linux: the user's sound, as late as the picture."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from contextlib import suppress

import numpy as np

from avatar_app.errors import SoundError
from avatar_app.sound.microphone import Block
from avatar_app.sound.pulse import CLIENT, FORMAT, VIRTUAL, default_source, end, pactl, program, start
from avatar_app.sound.timeline import RATE, Samples, Timeline
from avatar_app.text import Text

AHEAD = 0.018
"""Seconds from giving sound to the server until calls hear it."""

NAME = "Avatar Microphone"
"""What calls list it as."""

SINK = "avatar_sound"
SERVER_MS = 20
"""Milliseconds of sound that the server asks for ahead."""

PIECE = RATE // 100
"""Samples handed on at a time: a larger block would not fit into the pipe at once."""

PIPE_BYTES = 4096
"""Room in the pipe to the server; more would be a delay that nobody sees."""


class VirtualMicrophone:
    """Plays into a sink that nobody hears, whose sound is a microphone.

    Opened, used and closed in one thread, and opened before the microphone: where the server takes it for the
    system's one, it moves who listens to that. Raises SoundError.
    """

    def __init__(self) -> None:
        require_virtual_microphone()
        _remove_modules()  # those of an app that was killed
        chosen = default_source()
        self._modules: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._timeline = Timeline()
        self._began: float | None = None
        self._waiting: deque[tuple[float, Samples]] = deque()
        try:
            self._load("module-null-sink", f"sink_name={SINK}", *_shape(), _described("sink", CLIENT))
            self._load(
                "module-remap-source",
                f"master={SINK}.monitor",
                f"source_name={VIRTUAL}",
                *_shape()[1:],
                _described("source", NAME),
            )
            if default_source() != chosen:  # the user's choice is not to become a circle
                pactl("set-default-source", chosen)
            latency = f"--latency-msec={SERVER_MS}"
            words = [program("pacat"), *FORMAT, latency, f"--client-name={CLIENT}", f"--device={SINK}"]
            self._process = start(words, stdin=subprocess.PIPE)
            assert self._process.stdin
            self._pipe = self._process.stdin.fileno()
            os.set_blocking(self._pipe, False)
            self._narrow_pipe()
        except BaseException:
            self.close()
            raise

    def play(self, block: Block, delay: float) -> None:
        """Let a block be heard ``delay`` seconds after it was said."""
        at = block.at + delay - AHEAD
        if self._began is None:
            self._began = at
        begin = self._began + self._timeline.seconds
        samples = self._timeline.place(block.samples, at - self._began)
        for first in range(0, len(samples), PIECE):
            self._waiting.append((begin + first / RATE, samples[first : first + PIECE]))

    def pass_on(self, now: float) -> None:
        """Give the server what is due. Raises SoundError when it is gone."""
        while self._waiting and self._waiting[0][0] <= now:
            _, samples = self._waiting.popleft()
            self._write(np.ascontiguousarray(samples, np.float32).tobytes())

    def close(self) -> None:
        """Take the microphone away; may be called twice."""
        process, self._process = self._process, None
        if process:
            end(process)
        while self._modules:
            with suppress(SoundError):
                pactl("unload-module", self._modules.pop())

    def _write(self, data: bytes) -> None:
        """What the server does not take now is lost.

        Sound that waits would stay late for ever.
        """
        try:
            os.write(self._pipe, data)
        except BlockingIOError:
            return
        except OSError:
            raise SoundError(
                Text("The virtual microphone has stopped."), Text("See that the sound server runs.")
            ) from None

    def _load(self, module: str, *words: str) -> None:
        self._modules.append(pactl("load-module", module, *words).strip())

    def _narrow_pipe(self) -> None:
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def require_virtual_microphone() -> None:
    """Raise SoundError unless there can be one; the hint says what to install."""
    if not sys.platform.startswith("linux"):
        raise SoundError(
            Text("A virtual microphone can be made on Linux alone."),
            Text("Delay the sound in the call's or in OBS's own settings."),
        )
    for name in ("pactl", "pacat"):
        program(name)


def _remove_modules() -> None:
    for line in pactl("list", "short", "modules").splitlines():
        number, _, rest = line.partition("\t")
        if f"source_name={VIRTUAL}" in rest or f"sink_name={SINK}" in rest:
            with suppress(SoundError):
                pactl("unload-module", number)


def _shape() -> list[str]:
    return [f"rate={RATE}", "channels=1", "channel_map=mono"]


def _described(kind: str, name: str) -> str:
    return f"{kind}_properties='device.description=\"{name}\"'"

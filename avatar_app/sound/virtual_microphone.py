"""A microphone for calls, on Linux: the user's sound, delayed like the picture."""

from __future__ import annotations

import os
import re
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
"""Seconds from passing sound to the server until calls hear it."""

NAME = "Avatar Microphone"
"""Its name in calls."""

SINK = "avatar_sound"
OWNER = re.compile(r'avatar\.owner="?(\d+)')
"""In a module's description: the process that loaded it."""

SERVER_MS = 20
"""Milliseconds of sound that the server requests ahead."""

PIECE = RATE // 100
"""Samples written at a time: a larger block would not fit into the pipe at once."""

PIPE_BYTES = 4096
"""Size of the pipe to the server; a larger one would be an unknown delay."""


class VirtualMicrophone:
    """Plays into a silent sink whose sound is a microphone.

    Opened, used and closed in one thread, and opened before the real microphone: if the server makes it the
    default, it moves the listeners of the previous default. Raises SoundError.
    """

    def __init__(self) -> None:
        require_virtual_microphone()
        number = _free_number()
        sink, suffix = f"{SINK}{number}", f" {number}" if number else ""
        chosen = default_source()
        self._modules: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.begin_again()
        try:
            self._load(
                "module-null-sink", f"sink_name={sink}", *_shape(), _described("sink", CLIENT + suffix)
            )
            self._load(
                "module-remap-source",
                f"master={sink}.monitor",
                f"source_name={VIRTUAL}{number}",
                *_shape()[1:],
                _described("source", NAME + suffix),
            )
            if default_source() != chosen:  # the default must not become a loop
                pactl("set-default-source", chosen)
            latency = f"--latency-msec={SERVER_MS}"
            words = [program("pacat"), *FORMAT, latency, f"--client-name={CLIENT}", f"--device={sink}"]
            self._process = start(words, stdin=subprocess.PIPE)
            assert self._process.stdin
            self._pipe = self._process.stdin.fileno()
            os.set_blocking(self._pipe, False)
            self._narrow_pipe()
        except BaseException:
            self.close()
            raise

    def begin_again(self) -> None:
        """Forget the sound so far, before another microphone or after a break."""
        self._timeline = Timeline()
        self._began: float | None = None
        self._waiting: deque[tuple[float, Samples]] = deque()

    def play(self, block: Block, delay: float) -> None:
        """Schedule a block to be heard ``delay`` seconds after it was captured."""
        at = block.at + delay - AHEAD
        if self._began is None:
            self._began = at
        begin = self._began + self._timeline.seconds
        samples = self._timeline.place(block.samples, at - self._began)
        for first in range(0, len(samples), PIECE):
            self._waiting.append((begin + first / RATE, samples[first : first + PIECE]))

    def pass_on(self, now: float) -> None:
        """Write the blocks that are due. Raises SoundError when the server is gone."""
        while self._waiting and self._waiting[0][0] <= now:
            _, samples = self._waiting.popleft()
            self._write(np.ascontiguousarray(samples, np.float32).tobytes())

    def close(self) -> None:
        """Remove the microphone; may be called twice."""
        process, self._process = self._process, None
        if process:
            end(process)
        while self._modules:
            with suppress(SoundError):
                pactl("unload-module", self._modules.pop())

    def _write(self, data: bytes) -> None:
        """Write what the server takes now; the rest is lost.

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
    """Raise SoundError unless it can be created; the hint says what to install."""
    if not sys.platform.startswith("linux"):
        raise SoundError(
            Text("A virtual microphone can be made on Linux alone."),
            Text("Delay the sound in the call's or in OBS's own settings."),
        )
    for name in ("pactl", "pacat"):
        program(name)


def _free_number() -> str:
    """Return the suffix of the names: empty, or 2 and so on.

    Other instances of the app may have theirs. Those of killed instances are removed.
    """
    taken = set()
    for line in pactl("list", "short", "modules").splitlines():
        module, _, rest = line.partition("\t")
        made = re.search(rf"(?:source_name={VIRTUAL}|sink_name={SINK})(\d*)", rest)
        if made is None:
            continue
        if _owner_runs(rest):
            taken.add(made[1])
        else:
            with suppress(SoundError):
                pactl("unload-module", module)
    return next(number for number in ("", *map(str, range(2, 100))) if number not in taken)


def _owner_runs(words: str) -> bool:
    """Whether another running process has loaded a module."""
    owner = OWNER.search(words)
    if owner is None or int(owner[1]) == os.getpid():
        return False
    try:
        os.kill(int(owner[1]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _shape() -> list[str]:
    return [f"rate={RATE}", "channels=1", "channel_map=mono"]


def _described(kind: str, name: str) -> str:
    return f'{kind}_properties=\'device.description="{name}" avatar.owner="{os.getpid()}"\''

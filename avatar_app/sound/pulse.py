"""Microphones of PulseAudio or PipeWire, by the programs of PulseAudio."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from contextlib import suppress
from typing import Any

import numpy as np

from avatar_app.errors import SoundError
from avatar_app.files import find_program
from avatar_app.outputs.packages import install_command
from avatar_app.sound.microphone import Block, Clock, MicrophoneInfo
from avatar_app.sound.timeline import RATE
from avatar_app.text import Text

FORMAT = ("--raw", "--format=float32le", f"--rate={RATE}", "--channels=1")
CLIENT = "Avatar App"
BLOCK_MS = 10
START_SECONDS = 5.0
SETTLING = 0.2
"""Seconds at the beginning that only set the clock: old sound arrives there in a burst."""

SILENCE = 3.0
"""Seconds without a sample after which a microphone counts as stopped: even a quiet one sends samples."""

VIRTUAL = "avatar_microphone"
"""The app's own microphone, which cannot be chosen."""


class PulseMicrophone:
    """A microphone of PulseAudio, read from ``parec``. Raises SoundError."""

    def __init__(self, info: MicrophoneInfo) -> None:
        self.name = info.name
        device = f"--device={info.key or _chosen_source()}"
        words = [program("parec"), *FORMAT, f"--latency-msec={BLOCK_MS}", f"--client-name={CLIENT}", device]
        self._process = start(words, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._clock, self._rest = Clock(), b""
        self._heard_at, self._patience = time.monotonic(), START_SECONDS
        self._settled_at = 0.0

    def read(self, seconds: float) -> Block | None:
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        now = time.monotonic()
        data = os.read(self._pipe, 1 << 18) if ready else b""
        if ready and not data:
            raise SoundError(
                Text("The microphone {} has stopped.", self.name),
                Text("Connect it again, or choose another."),
            )
        if not data:
            if now - self._heard_at > self._patience:
                raise SoundError(
                    Text("The microphone {} sends nothing.", self.name),
                    Text("See that it is on, or choose another."),
                )
            return None
        self._heard_at, self._patience = now, SILENCE
        data = self._rest + data
        whole = len(data) // 4 * 4
        data, self._rest = data[:whole], data[whole:]
        samples = np.frombuffer(data, np.float32)
        at = self._clock.heard(len(samples), now)
        self._settled_at = self._settled_at or now + SETTLING
        return Block(samples, at) if len(samples) and now >= self._settled_at else None

    def close(self) -> None:
        end(self._process)


def list_sources() -> list[MicrophoneInfo]:
    """List the microphones, without monitors of what is played.

    Raises SoundError.
    """
    found = []
    for source in ask("list", "sources"):
        name = source["name"]
        if not name.endswith(".monitor") and not name.startswith(VIRTUAL):
            found.append(MicrophoneInfo(source.get("description") or name, name))
    return found


def default_source() -> str:
    """Return the source that the user has chosen in the system. Raises SoundError."""
    return pactl("get-default-source").strip()


def _chosen_source() -> str:
    """Return the same, but not the app's own microphone, which would be a loop."""
    chosen = default_source()
    others = [source.key for source in list_sources()]
    return others[0] if chosen not in others and others else chosen


def ask(*words: str) -> Any:
    """Return the answer of ``pactl``.

    Raises SoundError without a sound server.
    """
    said = pactl("-f", "json", *words)
    try:
        return json.loads(said)
    except ValueError:
        raise SoundError(
            Text("This computer's pactl is too old."), Text("Install PulseAudio's programs of version 16.")
        ) from None


def pactl(*words: str) -> str:
    """Run ``pactl``; return its output. Raises SoundError."""
    command = [program("pactl"), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=START_SECONDS, check=True, env=_plain()
        )
    except subprocess.CalledProcessError as problem:
        said = problem.stderr.strip().rpartition("\n")[2]
        if said.startswith("Failure: ") and "Connection" not in said:
            raise SoundError(
                Text("The sound server refuses: {}.", said.removeprefix("Failure: ").rstrip(".")),
                Text("Start it again, or leave out the virtual microphone."),
            ) from None
        raise no_server() from None
    except (subprocess.SubprocessError, OSError):
        raise no_server() from None
    return done.stdout


def no_server() -> SoundError:
    """Return the error for a missing sound server."""
    return SoundError(
        Text("No sound server answers in this session."),
        Text("Run `systemctl --user start pipewire-pulse`, or start PulseAudio."),
    )


def program(name: str) -> str:
    """Return the full path of one of PulseAudio's programs.

    Raises SoundError if it is not installed.
    """
    found = find_program(name)
    if not found:
        install = install_command("pulseaudio-utils", "pulseaudio-utils", "libpulse")
        raise SoundError(Text("PulseAudio's {} is not installed.", name), Text("Run {}.", install))
    return found


def start(words: list[str], **pipes: int) -> subprocess.Popen[bytes]:
    """Start a program in its own process group.

    A Ctrl-C in the terminal is for the app.
    """
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, env=_plain(), process_group=0, **pipes)  # type: ignore[call-overload,no-any-return]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program started by `start`; may be called twice."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()


def _plain() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}

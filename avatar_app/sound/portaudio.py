"""Microphones of Windows and macOS, by PortAudio.

The only file that imports sounddevice.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

from avatar_app.errors import SoundError
from avatar_app.extras import install
from avatar_app.sound.microphone import Block, MicrophoneInfo
from avatar_app.sound.timeline import RATE
from avatar_app.text import Text

BLOCK = RATE // 100
WAITING = 200
"""Blocks that may wait to be read; later ones are lost."""

LOCK = threading.RLock()
OPEN: set[object] = set()
"""The open streams, guarded by ``LOCK``."""


class PortAudioMicrophone:
    """A microphone of PortAudio. Raises SoundError."""

    def __init__(self, info: MicrophoneInfo) -> None:
        self.name = info.name
        self._blocks: queue.Queue[Block] = queue.Queue(WAITING)
        sounddevice = _library()
        try:
            with LOCK:
                self._stream = self._started(sounddevice, int(info.key) if info.key else None)
                OPEN.add(self._stream)
        except sounddevice.PortAudioError as problem:
            raise SoundError(
                Text("The microphone {} cannot be opened: {}.", self.name, str(problem).rstrip(".")),
                Text(
                    "Close other programs that use it, and allow this one to use the microphone in the "
                    "system's privacy settings."
                ),
            ) from None

    def read(self, seconds: float) -> Block | None:
        try:
            return self._blocks.get(timeout=seconds)
        except queue.Empty:
            if not self._stream.active:
                raise SoundError(
                    Text("The microphone {} has stopped.", self.name),
                    Text("Connect it again, or choose another."),
                ) from None
            return None

    def close(self) -> None:
        with LOCK:
            self._stream.close()
            OPEN.discard(self._stream)

    def _started(self, sounddevice: ModuleType, device: int | None) -> Any:
        stream = sounddevice.InputStream(
            samplerate=RATE,
            blocksize=BLOCK,
            device=device,
            channels=1,
            dtype="float32",
            latency="low",
            callback=self._take,
        )
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close()
            raise
        return stream

    def _take(self, data: Any, frames: int, times: Any, status: object) -> None:
        """Take a block; PortAudio calls it in a thread of its own."""
        age = times.currentTime - times.inputBufferAdcTime
        if not 0 < age < 1:  # some drivers do not say it
            age = frames / RATE
        block = Block(np.array(data[:, 0], np.float32), time.monotonic() - age)
        if not self._blocks.full():
            self._blocks.put_nowait(block)


def list_inputs() -> list[MicrophoneInfo]:
    """List the inputs of the system's default sound interface.

    Other interfaces list the same devices again.
    """
    sounddevice = _library()
    with LOCK:
        if not OPEN:  # PortAudio finds devices only when it starts, and stopping it would end open streams
            with suppress(sounddevice.PortAudioError):  # an earlier start failed
                sounddevice._terminate()
            sounddevice._initialize()
        main = sounddevice.query_hostapis()[sounddevice.default.hostapi]
        devices = [(number, sounddevice.query_devices(number)) for number in main["devices"]]
    return [
        MicrophoneInfo(device["name"], str(number))
        for number, device in devices
        if device["max_input_channels"] > 0
    ]


def _library() -> ModuleType:
    try:
        import sounddevice
    except (ImportError, OSError) as problem:
        raise SoundError(
            Text("The library sounddevice cannot be loaded: {}.", problem),
            install(["sounddevice"]),
        ) from None
    library: ModuleType = sounddevice
    return library

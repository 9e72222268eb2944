"""A private PulseAudio, and a clapper: a microphone that receives a beep at known times."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_app.sound.timeline import RATE, Samples

PROGRAMS = ("pulseaudio", "pactl", "parec", "pacat")
missing = [name for name in PROGRAMS if not shutil.which(name)]
needs_sound = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")

EVERY = 0.53
BEEP = 0.12
STEP = 0.01
"""Seconds between two beeps, of each, and of sound that is written at once."""


@contextmanager
def sound_server(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Iterator[Path]:
    """A server with only these modules and its own folder. Skips the test if it cannot start."""
    folder = Path(tempfile.mkdtemp(prefix="pa-"))
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{folder}/native")
    loads = [f"-Lmodule-native-protocol-unix socket={folder}/native auth-anonymous=1"]
    loads += [f"-L{module.format(folder=folder)}" for module in modules]
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", *loads]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(100):
            if not subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode:
                break
            time.sleep(0.1)
        else:
            pytest.skip(f"no sound server starts here: {(folder / 'log').read_text()[-300:]}")
        yield folder
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


CLAPPER = (
    f"module-pipe-source file={{folder}}/clapper source_name=clapper format=s16le rate={RATE} channels=1 "
    "source_properties=device.description=Clapper"
)
"""A module whose source is the sound written to a pipe, without delay."""


class Clapper:
    """Beeps into the pipe, once in ``EVERY`` seconds of ``time.monotonic`` since ``began``."""

    def __init__(self, folder: Path) -> None:
        self.began = time.monotonic()
        self._pipe = os.open(folder / "clapper", os.O_WRONLY)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def beeps(self, now: float) -> bool:
        """Whether a beep sounds now."""
        return (now - self.began) % EVERY < BEEP and now - self.began >= EVERY

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        os.close(self._pipe)

    def _run(self) -> None:
        done = 0
        while not self._stopping.is_set():
            end = (done + 1) * STEP
            self._stopping.wait(max(0.0, self.began + end - time.monotonic()))
            moments = self.began + (done * STEP) + np.arange(round(STEP * RATE)) / RATE
            loud = [self.beeps(float(moment)) for moment in moments]
            wave = np.where(loud, np.sin(2 * np.pi * 1000 * (moments - self.began)), 0.0)
            with suppress(OSError):
                os.write(self._pipe, (wave * 20_000).astype(np.int16).tobytes())
            done += 1


def onsets(samples: Samples, loud: float = 0.1) -> list[float]:
    """Times in seconds at which sound begins after at least half of ``EVERY`` of silence."""
    places = np.flatnonzero(np.abs(samples) > loud) / RATE
    quiet = np.diff(places, prepend=-EVERY)
    return [float(place) for place in places[quiet > EVERY / 2]]


def heard(path: Path) -> list[float]:
    """Times in seconds of a clip at which sound begins."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    begin = float((frames[0].pts or 0) * (frames[0].time_base or 0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return [begin + onset for onset in onsets(samples.astype(np.float32))]

"""Leave a server running for changing clients.

Reports memory, threads, open files and pictures over time.

python -m tests.bench.remote_soak [--minutes 10] [--people 3] [--json FILE]

Each client sends 4 poses a second, so that a busy computer can keep up. Every half minute one leaves and
another one joins with another photo; one in four disconnects abruptly. Every second one gets H.264.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.errors import DeviceError, EngineError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import Portrait, find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.paths import shipped_avatars
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.types import Layer
from tests.bench.remote import call_area
from tests.bench.soak import resources

STAY, EVERY, PAUSE = 30.0, 10.0, 1 / 4


@contextmanager
def server(people: int) -> Iterator[tuple[Pairing, int]]:
    with tempfile.TemporaryDirectory() as home:
        running = subprocess.Popen(
            [
                sys.executable,
                "run.py",
                "serve",
                "--device",
                "cpu",
                "--sessions",
                str(people),
                "--port",
                "7449",
            ],
            env={**os.environ, "XDG_DATA_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout is not None
            yield parse_pairing(running.stdout.readline()), running.pid
        finally:
            running.terminate()
            running.wait(20)


class Person(threading.Thread):
    """Stay for a while, leave, return as somebody else."""

    def __init__(self, number: int, pairing: Pairing, portraits: list[Portrait]) -> None:
        super().__init__(daemon=True)
        self._number, self._pairing, self._portraits = number, pairing, portraits
        self.ending = threading.Event()
        self.pictures = self.silences = self.visits = 0

    def run(self) -> None:
        while not self.ending.is_set():
            codec = ("jpeg", "h264")[(self._number + self.visits) % 2]
            try:
                engine = RemoteEngine(open_bundle("lite"), self._pairing, [codec])
            except EngineError:  # the server is still starting
                continue
            try:
                with suppress(EngineError):  # encoding the photo took too long on a busy computer
                    self._visit(engine)
            finally:
                if self.visits % 4 == 3 and engine._link._socket is not None:
                    engine._link._socket.socket.close()
                engine.close()
            self.visits += 1

    def _visit(self, engine: RemoteEngine) -> None:
        portrait = self._portraits[(self._number + self.visits) % len(self._portraits)]
        avatar = engine.encode(portrait.crop(engine.size))
        assert avatar.scene is not None
        area, end = call_area(avatar.scene), time.monotonic() + STAY
        while time.monotonic() < end and not self.ending.is_set():
            with suppress(DeviceError):
                engine.stream(avatar, avatar.key_points, area, time.monotonic(), self._count)
            time.sleep(PAUSE)

    def _count(self, layer: Layer, moment: float) -> None:
        self.pictures += 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.remote_soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    detector = FaceDetector.open()
    portraits = [
        find_portrait(read_portrait(path), detector) for path in sorted(shipped_avatars().glob("*.jpg"))[:4]
    ]
    rows: list[dict[str, Any]] = []
    with server(options.people + 1) as (pairing, process):
        people = [Person(number, pairing, portraits) for number in range(options.people)]
        for person in people:
            person.start()
        began = time.monotonic()
        while (now := time.monotonic() - began) < options.minutes * 60:
            time.sleep(EVERY)
            counts = {
                name: sum(getattr(person, name) for person in people) for name in ("pictures", "visits")
            }
            own = {f"client_{name}": value for name, value in resources(os.getpid()).items()}
            rows.append({"at": round(now), **resources(process), **own, **counts, "load": os.getloadavg()[0]})
            sys.stdout.write(f"{rows[-1]}\n")
            sys.stdout.flush()
        for person in people:
            person.ending.set()
        for person in people:
            person.join(60)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

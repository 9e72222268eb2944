"""What the network does to remote rendering.

Pictures a second, age and bits, for several kinds of network.

python -m tests.bench.remote [--seconds 20] [--json remote.json]

A relay between client and server delays, holds back and limits what goes through, as a network does. A lost
packet is a pause of one round trip, which is what TCP makes of it. The local engine runs in the same minutes,
with the same poses at 30 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines import Engine
from avatar_app.engines.open import open_engine
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.faces.detector import FaceDetector
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.transfer import motion_transfer
from avatar_app.paths import assets_folder, shipped_avatars
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.session.clip import portrait_crop, silent, track_driver
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Avatar, KeyPoints


@dataclass(frozen=True, slots=True)
class Network:
    """Round trip in seconds, share of packets that are lost, and bits a second (0: no limit)."""

    round_trip: float = 0.0
    loss: float = 0.0
    rate: float = 0.0


NETWORKS = {
    "0 ms": Network(),
    "20 ms": Network(0.02),
    "60 ms, 1 % loss": Network(0.06, 0.01),
    "3 Mbit/s": Network(0.02, 0.0, 3e6),
}
PACKET = 1448
FPS = 30.0


class Relay:
    """Joins a client and a server through a ``Network``, in a thread of its own."""

    def __init__(self, port: int, network: Network) -> None:
        self._to, self._network = port, network
        self._random = random.Random(0)
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._join, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        carrying = asyncio.ensure_future(self._carry(way, writer))
        free = last = 0.0
        while data := await reader.read(PACKET):
            now = self._loop.time()
            free = max(free, now) + (8 * len(data) / self._network.rate if self._network.rate else 0.0)
            lost = self._random.random() < self._network.loss
            last = max(last, free + self._network.round_trip * (1.5 if lost else 0.5))
            await way.put((last, data))
            if free - now > 0.1:
                await asyncio.sleep(free - now - 0.1)
        await way.put((0.0, b""))
        await carrying

    async def _carry(self, way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await way.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def server(home: Path) -> Iterator[Pairing]:
    """A server on this computer; how to reach it."""
    running = subprocess.Popen(
        [sys.executable, "run.py", "serve"],
        env={**os.environ, "XDG_DATA_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        yield parse_pairing(running.stdout.readline())
    finally:
        running.terminate()
        running.wait(20)


def poses_of(engine: Engine, photo: Path, clip: Path) -> tuple[Avatar, list[KeyPoints]]:
    detector = FaceDetector.open()
    avatar = engine.encode(portrait_crop(read_portrait(photo), detector, "auto", engine.size, []))
    track = track_driver(engine, detector, read_clip(clip), "auto", Stopwatch(), silent)
    seen = [pose for pose in track.poses if pose is not None]
    transfer = motion_transfer(avatar.key_points, seen[0])
    return avatar, [transfer(pose) for pose in seen]


def measure_remote(
    engine: RemoteEngine, avatar: Avatar, poses: list[KeyPoints], seconds: float
) -> dict[str, float]:
    """Ages are from the pose's moment to the picture's arrival, decoded."""
    ages: list[float] = []
    before, bits = time.monotonic(), engine.received_bytes
    for frame, moment in enumerate(ticks(seconds)):
        engine.stream(
            avatar, poses[frame % len(poses)], moment, lambda _, at: ages.append(time.monotonic() - at)
        )
    lasted = time.monotonic() - before
    return figures(ages, lasted) | {"mbit_s": round((engine.received_bytes - bits) * 8e-6 / lasted, 2)}


def measure_local(engine: Engine, avatar: Avatar, poses: list[KeyPoints], seconds: float) -> dict[str, float]:
    ages = []
    before = time.monotonic()
    for frame, moment in enumerate(ticks(seconds)):
        engine.render(avatar, poses[frame % len(poses)])
        ages.append(time.monotonic() - moment)
    return figures(ages, time.monotonic() - before)


def ticks(seconds: float) -> Iterator[float]:
    """Moments of a camera; those that are over while the caller works are left out."""
    begin = time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        due = begin + (int((now - begin) * FPS) + 1) / FPS
        time.sleep(max(0.0, due - time.monotonic()))
        yield due


def figures(ages: list[float], seconds: float) -> dict[str, float]:
    milliseconds = 1000 * np.array(ages or [np.nan])
    return {
        "fps": round(len(ages) / seconds, 1),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
    }


def measure(pairing: Pairing, network: Network, codec: str, seconds: float) -> dict[str, dict[str, float]]:
    """Remote and local, one after the other."""
    bundle = open_bundle("lite")
    photo, clip = shipped_avatars() / "anna.jpg", assets_folder() / "driving.mp4"
    local = open_engine(bundle, "cpu", 1)
    avatar, poses = poses_of(local, photo, clip)
    result = {"local": measure_local(local, avatar, poses, seconds / 2)}
    local.close()
    engine = RemoteEngine(bundle, replace(pairing, port=Relay(pairing.port, network).port), [codec])
    try:
        crop = portrait_crop(read_portrait(photo), FaceDetector.open(), "auto", engine.size, [])
        result["remote"] = measure_remote(engine, engine.encode(crop), poses, seconds)
    finally:
        engine.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.remote", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as home, server(Path(home)) as pairing:
        for (name, network), codec in itertools.product(NETWORKS.items(), ("jpeg", "h264")):
            found = report[f"{name}, {codec}"] = measure(pairing, network, codec, options.seconds)
            sys.stdout.write(f"{name}, {codec}: {found}\n")
            sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

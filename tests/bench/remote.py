"""Measure how the network affects remote rendering.

Pictures per second, latency and bit rate, for several kinds of network.

python -m tests.bench.remote [--seconds 20] [--recorded] [--json remote.json]

A relay between client and server adds delay, loss and a rate limit, as a network does. A lost packet is a
pause of one round trip, as with TCP. The local engine runs at the same time, with the same poses at 30 a
second. ``--recorded``: the server's engine repeats layers that were rendered in advance, so only the
transmission is measured, without a local engine for comparison.
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
from avatar_app.engines import Engine, render_layer
from avatar_app.engines.open import open_engine
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.transfer import motion_transfer
from avatar_app.outputs.placement import moving_area
from avatar_app.paths import assets_folder, shipped_avatars
from avatar_app.remote.link import digest_of
from avatar_app.remote.listening import listen_on
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.remote.server import Server, ServerConfig
from avatar_app.session.clip import silent, track_driver
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer, Scene
from tests.remote.serving import free_port


@dataclass(frozen=True, slots=True)
class Network:
    """Round trip in seconds, fraction of lost packets, and bits per second (0: no limit)."""

    round_trip: float = 0.0
    loss: float = 0.0
    rate: float = 0.0


NETWORKS = {
    "0 ms": Network(),
    "20 ms": Network(0.02),
    "60 ms, 1 % loss": Network(0.06, 0.01),
    "3 Mbit/s": Network(0.02, 0.0, 3e6),
}
CODECS = {"chosen": ["jpeg", "h264"], "h264": ["h264"]}
"""The client's data."""

PACKET = 1448
FPS = 30.0
TOKEN = "t" * 43


class Relay:
    """Connects a client and a server through a ``Network``, in its own thread."""

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


class Recorded:
    """An engine with layers rendered in advance, so that only their transmission is measured."""

    name, reads_pictures = "recorded", False

    def __init__(self) -> None:
        engine = open_engine(open_bundle("lite"), "cpu", 1)
        self.size = engine.size
        self._avatar, poses = poses_of(engine)
        self._layers = [render_layer(engine, self._avatar, pose, call_area) for pose in poses[:90]]
        self._count = 0
        engine.close()

    def encode(self, crop: Crop) -> Avatar:
        return self._avatar

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        raise NotImplementedError

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        self._count += 1
        return self._layers[self._count % len(self._layers)]

    def close(self) -> None:
        pass


def serve_recorded(port: int) -> None:
    bundle = open_bundle("lite")
    recorded = Recorded()  # before the server is announced, because it takes seconds
    server = Server(ServerConfig("lite", digest_of(bundle.hashes), TOKEN), lambda: recorded)
    sys.stdout.write(f"avatar://127.0.0.1:{port}#token={TOKEN}\n")
    sys.stdout.flush()
    listen_on(server.app, "127.0.0.1", port, None, 0.0).run()


@contextmanager
def server(home: Path, recorded: bool) -> Iterator[Pairing]:
    """Start a server on this computer; returns how to reach it."""
    own = [sys.executable, "-m", "tests.bench.remote", "--serve", str(free_port())]
    running = subprocess.Popen(
        own if recorded else [sys.executable, "run.py", "serve"],
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


def call_area(scene: Scene) -> Area:
    return moving_area(scene, (1280, 720))


def photo_crop(size: int) -> Crop:
    return find_portrait(read_portrait(shipped_avatars() / "anna.jpg"), FaceDetector.open()).crop(size)


def poses_of(engine: Engine) -> tuple[Avatar, list[KeyPoints]]:
    avatar = engine.encode(photo_crop(engine.size))
    clip = read_clip(assets_folder() / "driving.mp4")
    track = track_driver(engine, FaceDetector.open(), clip, "auto", Stopwatch(), silent)
    seen = [pose for pose in track.poses if pose is not None]
    transfer = motion_transfer(avatar.key_points, seen[0])
    return avatar, [transfer(pose) for pose in seen]


def measure_remote(
    engine: RemoteEngine, avatar: Avatar, poses: list[KeyPoints], seconds: float
) -> dict[str, float | str]:
    """Latencies are from the time of the pose to the arrival of the decoded picture."""
    ages: list[float] = []
    assert avatar.scene is not None
    area = call_area(avatar.scene)

    def show(_: Layer, moment: float) -> None:
        ages.append(time.monotonic() - moment)

    def run(lasting: float) -> float:
        before = time.monotonic()
        for frame, moment in enumerate(ticks(lasting)):
            engine.stream(avatar, poses[frame % len(poses)], area, moment, show)
        return time.monotonic() - before

    run(seconds / 4)  # until the codec has been chosen
    ages.clear()
    bits = engine.received_bytes
    lasted = run(seconds)
    rate = round((engine.received_bytes - bits) * 8e-6 / lasted, 2)
    return {**figures(ages, lasted), "mbit_s": rate, "codec": engine.traffic().codec}


def measure_local(
    engine: Engine, avatar: Avatar, poses: list[KeyPoints], seconds: float
) -> dict[str, float | str]:
    ages = []
    before = time.monotonic()
    for frame, moment in enumerate(ticks(seconds)):
        render_layer(engine, avatar, poses[frame % len(poses)], call_area)
        ages.append(time.monotonic() - moment)
    return figures(ages, time.monotonic() - before)


def ticks(seconds: float) -> Iterator[float]:
    """Times of a camera's frames; those that pass while the caller works are skipped."""
    begin = time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        due = begin + (int((now - begin) * FPS) + 1) / FPS
        time.sleep(max(0.0, due - time.monotonic()))
        yield due


def figures(ages: list[float], seconds: float) -> dict[str, float | str]:
    milliseconds = 1000 * np.array(ages or [np.nan])
    return {
        "fps": round(len(ages) / seconds, 1),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
    }


def measure(
    pairing: Pairing, network: Network, codecs: list[str], poses: list[KeyPoints], seconds: float
) -> dict[str, float | str]:
    relayed = replace(pairing, port=Relay(pairing.port, network).port)
    engine = RemoteEngine(open_bundle("lite"), relayed, codecs)
    try:
        return measure_remote(engine, engine.encode(photo_crop(engine.size)), poses, seconds)
    finally:
        engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.remote", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--serve", type=int, metavar="PORT", help="be the server of recorded layers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.serve:
        serve_recorded(options.serve)
        return
    local = open_engine(open_bundle("lite"), "cpu", 1)
    avatar, poses = poses_of(local)
    report: dict[str, dict[str, float | str]] = {}

    def note(name: str, found: dict[str, float | str]) -> None:
        report[name] = {**found, "load": round(os.getloadavg()[0], 1)}
        sys.stdout.write(f"{name}: {report[name]}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as home, server(Path(home), options.recorded) as pairing:
        for (name, network), codecs in itertools.product(NETWORKS.items(), CODECS.items()):
            if not options.recorded:
                note(f"{name}, {codecs[0]}, local", measure_local(local, avatar, poses, options.seconds / 2))
            note(f"{name}, {codecs[0]}", measure(pairing, network, codecs[1], poses, options.seconds))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

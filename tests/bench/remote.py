"""Measure how the network affects remote rendering.

Pictures per second, latency and bit rate, for several kinds of network.

python -m tests.bench.remote [--seconds 20] [--fps 30] [--recorded] [--only NETWORK] [--json remote.json]

The local engine takes turns with the remote one, with the same poses. ``loopback`` has nothing
between client and server; the other networks are simulated with ``tests.bench.network`` (Linux), with TLS.
``--recorded``: the server's engine repeats layers that were rendered in advance, so only the transmission is
measured, without a local engine for comparison.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
from avatar_app.remote.pairing import (
    PORT,
    Pairing,
    certificate_files,
    certificate_pin,
    is_loopback,
    parse_pairing,
)
from avatar_app.remote.server import Server, ServerConfig
from avatar_app.session.clip import silent, track_driver
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer, Scene
from tests.bench.network import SERVER, Network, behind, enter_namespace

LOOPBACK = "loopback"
NETWORKS = {
    LOOPBACK: None,
    "20 ms": Network(0.02),
    "60 ms, 1 % loss": Network(0.06, 0.01),
    "3 Mbit/s, 20 ms": Network(0.02, 0.0, 3e6),
}
CODECS = {"automatic": ["jpeg", "h264"], "jpeg": ["jpeg"], "h264": ["h264"]}
"""The codecs that the client offers."""

THREADS = 1
"""Of each engine. On a busy computer, two would often wait for each other."""

TOKEN = "t" * 43
TURN = 2.0
"""Seconds that each engine is measured at a time, so that both meet the same load."""

FLUENT = 25
"""Pictures within a second that look fluent."""


class Recorded:
    """An engine with layers rendered in advance, so that only their transmission is measured."""

    name, reads_pictures = "recorded", False

    def __init__(self) -> None:
        engine = open_engine(open_bundle("lite"), "cpu", THREADS)
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


def serve(address: str, recorded: bool) -> None:
    bundle = open_bundle("lite")
    engine = Recorded() if recorded else open_engine(bundle, "cpu", THREADS)
    server = Server(ServerConfig("lite", digest_of(bundle.hashes), TOKEN), lambda: engine)
    with tempfile.TemporaryDirectory() as folder:
        files = None if is_loopback(address) else certificate_files(Path(folder))
        pairing = Pairing(address, PORT, TOKEN, certificate_pin(files[0]) if files else "")
        sys.stdout.write(f"{pairing.line}\n")
        sys.stdout.flush()
        listen_on(server.app, address, PORT, files, 0.0).run()


@contextmanager
def server(network: Network | None, recorded: bool) -> Iterator[Pairing]:
    """Start a server; returns how to reach it."""
    address = SERVER if network else "127.0.0.1"
    command = [sys.executable, "-m", "tests.bench.remote", "--serve", address]
    command += ["--recorded"] if recorded else []
    with behind(network, command) if network else beside(command) as running:
        assert running.stdout is not None
        yield parse_pairing(running.stdout.readline())


@contextmanager
def beside(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield running
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


class Measured:
    """Ages of the pictures of one engine, from the time of the pose to the decoded picture."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.seconds = 0.0

    def figures(self) -> dict[str, float]:
        milliseconds = 1000 * np.array(self.ages or [np.nan])
        return {
            "fps": round(len(self.ages) / self.seconds, 1),
            "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
            "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
        }


Draw = Callable[[KeyPoints, float, Callable[[Layer, float], None]], None]
"""Render a pose of this time; the callback gets the layer and that time."""


def take_turn(
    draw: Draw, poses: Iterable[KeyPoints], moments: Iterable[float], into: Measured
) -> list[float]:
    """Render a pose at each of these times; returns when each picture arrived."""
    arrived: list[float] = []
    began = time.monotonic()

    def show(_: Layer, moment: float) -> None:
        arrived.append(time.monotonic())
        into.ages.append(arrived[-1] - moment)

    for moment, pose in zip(moments, poses, strict=False):
        draw(pose, moment, show)
    into.seconds += time.monotonic() - began
    return [at - began for at in arrived]


def fluent_after(arrived: list[float]) -> float:
    """Seconds until there have been ``FLUENT`` pictures within one second; NaN if never."""
    spans = zip(arrived, arrived[FLUENT - 1 :], strict=False)
    return next((last for first, last in spans if last - first < 1), math.nan)


def ticks(seconds: float, fps: float) -> Iterator[float]:
    """Times of a camera's frames; those that pass while the caller works are skipped."""
    begin = time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        due = begin + (int((now - begin) * fps) + 1) / fps
        time.sleep(max(0.0, due - time.monotonic()))
        yield due


def measure(
    engine: RemoteEngine,
    local: tuple[Engine, Avatar] | None,
    poses: list[KeyPoints],
    seconds: float,
    fps: float,
) -> dict[str, dict[str, float | str]]:
    """Measure a remote engine, and a local one in turns with it."""
    avatar = engine.encode(photo_crop(engine.size))
    assert avatar.scene is not None
    area = call_area(avatar.scene)

    def far(pose: KeyPoints, moment: float, show: Callable[[Layer, float], None]) -> None:
        engine.stream(avatar, pose, area, moment, show)

    def near(pose: KeyPoints, moment: float, show: Callable[[Layer, float], None]) -> None:
        assert local is not None
        show(render_layer(local[0], local[1], pose, call_area), moment)

    endless = itertools.cycle(poses)
    fluent = fluent_after(take_turn(far, endless, ticks(4.0, fps), Measured()))
    there, here, carried, codec = Measured(), Measured(), 0, ""
    for _ in range(math.ceil(seconds / TURN)):
        before = engine.received_bytes
        take_turn(far, endless, ticks(TURN, fps), there)
        carried += engine.received_bytes - before
        codec = engine.traffic().codec
        if local:
            take_turn(near, endless, ticks(TURN, fps), here)
    rate = round(carried * 8e-6 / there.seconds, 2)
    found: dict[str, dict[str, float | str]] = {"remote": {**there.figures(), "mbit_s": rate}}
    found["remote"] |= {"codec": codec, "fluent_after_s": round(fluent, 2)}
    return found | ({"local": {**here.figures()}} if local else {})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.remote", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--fps", type=float, default=30, help="poses a second (default: 30)")
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--only", choices=NETWORKS, action="append")
    parser.add_argument("--serve", metavar="ADDRESS", help="be the server")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.recorded)
        return
    enter_namespace()
    near = open_engine(open_bundle("lite"), "cpu", THREADS)
    avatar, poses = poses_of(near)
    report: dict[str, dict[str, float | str]] = {}
    for name in options.only or NETWORKS:
        with server(NETWORKS[name], options.recorded) as pairing:
            for codec, known in CODECS.items():
                engine = RemoteEngine(open_bundle("lite"), pairing, known)
                local = None if options.recorded else (near, avatar)
                try:
                    found = measure(engine, local, poses, options.seconds, options.fps)
                finally:
                    engine.close()
                for where, row in found.items():
                    report[f"{name}, {codec}, {where}"] = {**row, "load": round(os.getloadavg()[0], 1)}
                    sys.stdout.write(f"{name}, {codec}, {where}: {row}, load {os.getloadavg()[0]:.1f}\n")
                    sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Measure what the app costs besides its engine.

Latency, processor time, start-up time and memory, with a webcam in a separate process.

python -m tests.bench.around CLIP [--seconds 60] [--starts 10] [--width 640] [--only call|start] [--json FILE]

``call`` runs a session in this process and times its engine, face networks and output. It reports the
capture-to-send latency minus the engine's time. It also reports the processor time of each thread minus that
of the engine's calls, of the engine's thread pool, and of OpenCV's threads during those calls (the engine
composes its pictures with OpenCV). The output is the virtual camera's own code; only the driver's part,
copying the picture's bytes, happens in memory. ``start`` runs ``run.py live`` in fresh processes.
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
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.control.server import NotRunning, send_command
from avatar_app.engines import Engine
from avatar_app.faces.detector import FaceDetector
from avatar_app.outputs.sinks import Sink, VirtualCameraSink
from avatar_app.paths import shipped_avatars
from avatar_app.processor import cores, cpu_name
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session, open_model
from avatar_app.session.stopwatch import percentiles
from avatar_app.types import Avatar, Crop, Image, KeyPoints
from tests.e2e.program import ROOT
from tests.e2e.test_live_command import home

SIZE = (1280, 720)
WINDOW = 5.0
"""Seconds over which the app averages its own figures."""


class Tally:
    """Wall and processor seconds of calls.

    Attributes:
        helped: processor seconds that helpers spent during the calls.

    Args:
        helpers: threads that work for these calls and for others (OpenCV's).
    """

    def __init__(self, helpers: AbstractSet[int] = frozenset()) -> None:
        self.wall: list[float] = []
        self.processor = self.helped = 0.0
        # Kept open, so that reading it costs less.
        self._clocks = [os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY) for thread in helpers]

    @contextmanager
    def add(self) -> Iterator[None]:
        helped, wall, processor = self._seconds(), time.monotonic(), time.thread_time()
        yield
        self.processor += time.thread_time() - processor
        self.wall.append((time.monotonic() - wall) * 1000)
        self.helped += self._seconds() - helped

    def _seconds(self) -> float:
        """Processor seconds of the helpers so far."""
        return sum(int(os.pread(clock, 64, 0).split()[0]) for clock in self._clocks) / 1e9

    def clear(self) -> None:
        self.wall.clear()
        self.processor = self.helped = 0.0


class TimedEngine:
    """An engine that times its calls; ``detect`` and ``render`` of a frame count as one."""

    def __init__(self, engine: Engine, tally: Tally) -> None:
        self._engine, self._tally = engine, tally
        self.size, self.name, self.reads_pictures = engine.size, engine.name, engine.reads_pictures
        self.encode, self.close = engine.encode, engine.close
        self._detecting = 0.0

    def detect(self, crop: Crop) -> KeyPoints:
        with self._tally.add():
            points = self._engine.detect(crop)
        self._detecting = self._tally.wall.pop()
        return points

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        with self._tally.add():
            picture = self._engine.render(avatar, pose)
        self._tally.wall[-1] += self._detecting
        return picture


class TimedNetwork:
    def __init__(self, network: Any, tally: Tally) -> None:
        self._network, self._tally = network, tally

    def run(self, *arguments: Any) -> Any:
        with self._tally.add():
            return self._network.run(*arguments)


class Memory:
    """Replaces the driver of a virtual camera: copies the bytes."""

    device = "memory"

    def __init__(self) -> None:
        self._taken = np.zeros((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)

    def send(self, frame: npt.NDArray[np.uint8]) -> None:
        np.copyto(self._taken, frame)

    def close(self) -> None:
        pass


class Watched:
    """A session of real parts that are timed.

    Attributes:
        pool: threads that the engine started for itself.
    """

    def __init__(self, url: str) -> None:
        before = threads()
        # OpenCV starts its threads with the first large task. Start them now, so that they do not count as
        # the engine's.
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 5)
        self.engine, self.faces = Tally(threads() - before), Tally()
        self.pool: set[int] = set()
        photo = sorted(shipped_avatars().glob("*.jpg"))[0]
        controls = Controls(source=url, avatar=photo, output="virtual-camera", size=SIZE)
        self.session = Session(
            controls,
            open_engine=self._open_engine,
            open_detector=self._open_detector,
            open_sink=self._open_sink,
        )

    def _open_engine(self, model: str, device: str) -> Engine:
        before = threads()
        engine = open_model(model, device)
        self.pool = threads() - before - {thread.native_id for thread in threading.enumerate()}
        return TimedEngine(engine, self.engine)

    def _open_detector(self) -> FaceDetector:
        detector = FaceDetector.open()
        detector._finder, detector._landmarks = (
            TimedNetwork(n, self.faces) for n in (detector._finder, detector._landmarks)
        )
        return detector

    def _open_sink(self, kind: str, device: str, size: tuple[int, int], fps: int) -> Sink:
        return VirtualCameraSink(Memory(), size, "memory")


def threads() -> set[int]:
    return {int(path.name) for path in Path("/proc/self/task").iterdir()}


def processor_seconds(of: Iterable[int]) -> dict[int, float]:
    """Processor seconds so far, by thread."""
    spent = {}
    for thread in of:
        with suppress(OSError):  # the thread has ended
            spent[thread] = int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    return spent


def process_seconds(process: int) -> float:
    """Processor seconds of all threads of another process, including those that have ended."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def call(url: str, seconds: float) -> dict[str, Any]:
    watched = Watched(url)
    session = watched.session
    session.start()
    try:
        until = time.monotonic() + 60
        while session.status().shows != "avatar" and time.monotonic() < until:
            if (
                session.status().face
                and session.status().reason == "uncalibrated"
                and session.status().calibrating is None
            ):
                session.recalibrate()
            time.sleep(0.2)
        time.sleep(WINDOW + 1)
        watched.engine.clear()
        watched.faces.clear()
        before, began = processor_seconds(threads()), time.monotonic()
        windows = []
        while time.monotonic() - began < seconds:
            time.sleep(WINDOW)
            windows.append(session.status().statistics)
        lasted, after = time.monotonic() - began, processor_seconds(threads())
        status = session.status()
    finally:
        session.stop()
    names = {thread.native_id: thread.name for thread in threading.enumerate()} | _stage_names(session)
    spent = {thread: 100 * (after[thread] - before.get(thread, 0.0)) / lasted for thread in after}
    engine, faces = percentiles(watched.engine.wall), percentiles(watched.faces.wall)
    latency = {
        "p50": float(np.median([w.latency_p50 for w in windows])),
        "p95": float(np.median([w.latency_p95 for w in windows])),
    }
    return {
        "camera": status.camera,
        "seconds": round(lasted, 1),
        "new_a_second": float(np.median([w.avatar_fps for w in windows])),
        "latency_ms": latency,
        "engine_ms": engine,
        "faces_ms": faces,
        "around_engine_ms": {share: round(latency[share] - engine[share], 2) for share in latency},
        "around_networks_ms": {
            share: round(latency[share] - engine[share] - faces[share], 2) for share in latency
        },
        "processor_percent": _shares(spent, watched, names, lasted),
    }


def _stage_names(session: Session) -> dict[int | None, str]:
    return {stage._thread.native_id: stage.name for stage in session._stages}


def _shares(
    spent: dict[int, float], watched: Watched, names: dict[int | None, str], seconds: float
) -> dict[str, float]:
    """Percent of one core, by consumer."""
    shares: dict[str, float] = {"engine": 0.0, "faces": 100 * watched.faces.processor / seconds}
    for thread, percent in spent.items():
        name = "engine" if thread in watched.pool else names.get(thread, "libraries")
        shares[name] = shares.get(name, 0.0) + percent
    calls, helped = 100 * watched.engine.processor / seconds, 100 * watched.engine.helped / seconds
    shares["engine"] += calls + helped
    shares["animation"] -= calls + shares["faces"]
    shares["libraries"] -= helped
    shares["app around engine and faces"] = sum(
        share for name, share in shares.items() if name not in ("engine", "faces")
    )
    return {name: round(share, 2) for name, share in shares.items() if share >= 0.05}


def start(url: str, count: int) -> dict[str, Any]:
    """Start fresh processes: the first calibrates, the others have a stored pose."""
    with tempfile.TemporaryDirectory(prefix="around-") as folder:
        first = _one_start(url, Path(folder), 15.0)
        later = [_one_start(url, Path(folder), 1.0) for _ in range(count)]
    return {
        "first_with_calibration_s": round(first["seconds"], 2),
        "seconds": {
            f"p{share}": round(float(np.percentile([one["seconds"] for one in later], share)), 2)
            for share in (50, 95)
        },
        "processor_seconds": round(float(np.median([one["processor"] for one in later])), 2),
        "memory_mb": {"resident": first["resident_mb"], "highest": first["highest_mb"]},
        "torch_loaded": first["torch"],
    }


def _one_start(url: str, folder: Path, stay: float) -> dict[str, Any]:
    """Seconds from the program's start to its first avatar, and memory after so many seconds."""
    words = [
        sys.executable,
        "run.py",
        "live",
        "--source",
        url,
        "--avatar",
        str(sorted(shipped_avatars().glob("*.jpg"))[0]),
    ]
    words += ["--output", "none", "--device", "cpu"]  # calibrates only if no pose is stored
    socket = folder / "avatar-app" / "control.socket"
    environment = home(folder)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users have compiled modules from the second start on
    began = time.monotonic()
    program = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < 120:
            with suppress(NotRunning):
                if send_command("status", path=socket).get("shows") == "avatar":
                    break
            time.sleep(0.01)
        seconds = time.monotonic() - began
        processor = process_seconds(program.pid)
        time.sleep(stay)
        facts = dict(
            line.split(":", 1) for line in Path(f"/proc/{program.pid}/status").read_text().splitlines()
        )
        maps = Path(f"/proc/{program.pid}/maps").read_text()
        send_command("quit", path=socket)
        program.wait(20)
    finally:
        program.kill()
    resident, highest = (round(int(facts[name].split()[0]) / 1000, 1) for name in ("VmRSS", "VmHWM"))
    return {
        "seconds": seconds,
        "processor": processor,
        "resident_mb": resident,
        "highest_mb": highest,
        "torch": "libtorch" in maps,
    }


@contextmanager
def webcam(clip: Path, width: int) -> Iterator[str]:
    """The address of a webcam that plays the clip."""
    words = [sys.executable, "-m", "tests.support.webcam", str(clip), "--width", str(width)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--width", type=int, default=640, help="of the camera's pictures")
    parser.add_argument("--only", choices=["call", "start"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {"hardware": {"cpu": cpu_name(), "cores": cores()}}
    with webcam(options.clip, options.width) as url:
        if options.only != "start":
            report["call"] = call(url, options.seconds)
        if options.only != "call":
            report["start"] = start(url, options.starts)
    text = json.dumps(report, indent=1) + "\n"
    sys.stdout.write(text)
    if options.json:
        options.json.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

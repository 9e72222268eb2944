"""What a live session costs, measured with a webcam on the network of this computer.

python -m tests.bench.live_session speed CLIP [--seconds N]      frames a second and latency of the shipped
model python -m tests.bench.live_session slow CLIP [--seconds N]                  age of the newest picture
with an engine of 120 ms python -m tests.bench.live_session soak CLIP [--seconds N]                  memory,
threads and files over a long run python -m tests.bench.live_session cycles CLIP [--count N]
starting and stopping again and again
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.engines import Engine
from avatar_app.paths import shipped_avatars
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session, open_model
from avatar_app.types import Avatar, Image, KeyPoints
from tests.support.mjpeg import MjpegCamera
from tests.support.webcam import read_clip

SLOW_MS = 120.0


class SlowEngine:
    """The shipped model, slowed to ``SLOW_MS`` per picture."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.size, self.name = engine.size, f"{engine.name}, slowed"
        self.reads_pictures = engine.reads_pictures
        self.detect, self.encode, self.close = engine.detect, engine.encode, engine.close

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        began = time.monotonic()
        picture = self._engine.render(avatar, pose)
        time.sleep(max(0.0, SLOW_MS / 1000 - (time.monotonic() - began)))
        return picture


def resources() -> dict[str, float]:
    """Memory in MB, threads and open files of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "threads": threading.active_count(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }


def running(session: Session, seconds: float, every: float = 1.0) -> list[dict[str, Any]]:
    """Calibrate, then record one row of figures per second."""
    until = time.monotonic() + 60
    while session.status().reason != "uncalibrated" or not session.status().face:
        if time.monotonic() > until:
            raise TimeoutError(f"the session did not get ready: {session.status()}")
        time.sleep(0.05)
    session.recalibrate()
    time.sleep(8)  # the window that rates are averaged over must be full
    rows = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(every)
        status = session.status()
        s = status.statistics
        rows.append(
            {
                "camera_fps": s.camera_fps,
                "avatar_fps": s.avatar_fps,
                "p50": s.latency_p50,
                "p95": s.latency_p95,
                "animate_ms": s.animate_ms,
            }
            | {"shows": status.shows, "cpu_s": round(sum(os.times()[:2]), 2)}
            | resources()
        )
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, the worst latencies, and the slope of memory over the second half."""

    def median(name: str) -> float:
        return round(float(np.median([row[name] for row in rows])), 2)

    half = rows[len(rows) // 2 :]
    slope = (
        float(np.polyfit(np.arange(len(half)), [row["memory_mb"] for row in half], 1)[0]) * 60
        if len(half) > 2
        else 0.0
    )
    return {
        "seconds": len(rows),
        **{
            name: median(name)
            for name in ("camera_fps", "avatar_fps", "p50", "p95", "animate_ms", "memory_mb")
        },
        "p95_worst": max(row["p95"] for row in rows),
        "memory_first_mb": rows[0]["memory_mb"],
        "memory_last_mb": rows[-1]["memory_mb"],
        "memory_mb_per_minute": round(slope, 2),
        "threads": [rows[0]["threads"], rows[-1]["threads"]],
        "files": [rows[0]["files"], rows[-1]["files"]],
        "cpu_cores": round((rows[-1]["cpu_s"] - rows[0]["cpu_s"]) / max(1, len(rows) - 1), 2),
    }


def controls(camera: MjpegCamera) -> Controls:
    return Controls(
        source=camera.url, avatar=next(iter(sorted(shipped_avatars().glob("*.jpg")))), output="none"
    )


def speed(camera: MjpegCamera, seconds: float, slow: bool) -> dict[str, Any]:
    session = Session(
        controls(camera), open_engine=lambda m, d: SlowEngine(open_model(m, d)) if slow else open_model(m, d)
    )
    session.start()
    try:
        rows = running(session, seconds)
    finally:
        began = time.monotonic()
        stuck = session.stop()
    report = summary(rows) | {"stop_ms": round((time.monotonic() - began) * 1000, 1), "stuck": stuck}
    if slow:
        report["bound_ms"] = round(1000 / 30 + report["animate_ms"] + 10, 1)
    return report


def cycles(camera: MjpegCamera, count: int) -> dict[str, Any]:
    rows, stops = [], []
    for _ in range(count):
        session = Session(controls(camera))
        session.start()
        until = time.monotonic() + 20
        while not session.status().face and time.monotonic() < until:
            time.sleep(0.02)
        began = time.monotonic()
        stuck = session.stop()
        stops.append((time.monotonic() - began) * 1000)
        if stuck:
            raise RuntimeError(f"stuck: {stuck}")
        del session
        gc.collect()
        rows.append(resources())
    return {
        "cycles": count,
        "stop_ms_median": round(float(np.median(stops)), 1),
        "stop_ms_worst": round(max(stops), 1),
        "after_5": rows[min(4, count - 1)],
        "after_last": rows[-1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "slow", "soak", "cycles"])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    frames = read_clip(options.clip, 640)
    with MjpegCamera(lambda number: frames[number % len(frames)], 30) as camera:
        if options.what == "cycles":
            report = cycles(camera, options.count)
        else:
            report = speed(camera, options.seconds, options.what == "slow")
    json.dump({options.what: report}, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Leave the app with its window running.

Reports memory, threads, open files, rates and latency over time.

python -m tests.bench.soak CLIP [--minutes 30] [--every 10] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.paths import shipped_avatars
from tests.e2e.program import ROOT, control
from tests.e2e.test_window import settle
from tests.support.mjpeg import MjpegCamera
from tests.support.webcam import read_clip


def resources(process: int) -> dict[str, float]:
    """Memory in MB, threads and open files of a process."""
    proc = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "memory_mb": round(int(status["VmRSS"].split()[0]) / 1000, 1),
        "threads": int(status["Threads"]),
        "files": len(list((proc / "fd").iterdir())),
    }


def watch(camera: MjpegCamera, minutes: float, every: float) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        settle(Path(home), source=camera.url, avatar=sorted(shipped_avatars().glob("*.jpg"))[0].name)
        homes = {f"XDG_{name}": home for name in ("RUNTIME_DIR", "DATA_HOME", "CONFIG_HOME", "CACHE_HOME")}
        environment = dict(os.environ) | homes | {"QT_QPA_PLATFORM": "offscreen"}
        app = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environment)
        try:
            until = time.monotonic() + 60
            while control("status", environment).get("reason") != "uncalibrated" and time.monotonic() < until:
                time.sleep(0.5)
            control("recalibrate", environment)
            began = time.monotonic()
            while time.monotonic() - began < minutes * 60 and app.poll() is None:
                time.sleep(every)
                status = control("status", environment)
                figures = status.get("statistics", {})
                try:
                    rows.append(
                        {
                            "at": round(time.monotonic() - began),
                            "shows": status["shows"],
                            **figures,
                            **resources(app.pid),
                        }
                    )
                except (KeyError, OSError):  # the app was ended from outside
                    break
        finally:
            app.terminate()
            app.wait(20)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """First and last minute side by side, and the slope of memory after the first quarter."""
    settled = rows[len(rows) // 4 :]
    slope = np.polyfit([row["at"] / 60 for row in settled], [row["memory_mb"] for row in settled], 1)[0]
    quarter = max(1, len(settled) // 4)

    def pair(name: str) -> list[float]:
        return [
            round(float(np.median([row[name] for row in part])), 1)
            for part in (settled[:quarter], settled[-quarter:])
        ]

    return {
        "minutes": round(rows[-1]["at"] / 60, 1),
        "memory_mb_per_minute": round(float(slope), 3),
        **{
            name: pair(name)
            for name in ("memory_mb", "threads", "files", "avatar_fps", "latency_p50", "latency_p95")
        },
        "sent": rows[-1]["sent"],
        "shows": sorted({str(row["shows"]) for row in rows}),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    frames = read_clip(options.clip, 640)
    with MjpegCamera(lambda number: frames[number % len(frames)], 30) as camera:
        rows = watch(camera, options.minutes, options.every)
    report = {"summary": summary(rows), "rows": rows}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    json.dump(report["summary"], sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())

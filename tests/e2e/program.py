"""The app as a user starts it.

``run.py live`` in a process of its own, and ``run.py control`` beside it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


def control(command: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the app that runs in this environment to ``run.py control``.

    Not ok and showing nothing if none runs.
    """
    done = subprocess.run(
        [sys.executable, "run.py", "control", command, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    answer: dict[str, Any] = (
        json.loads(done.stdout) if done.stdout else {"ok": False, "shows": "", "reason": "", "notices": []}
    )
    return answer


class Program:
    """Starts with the object.

    ``environment`` must have user folders that are not the user's own.
    """

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.environment = dict(environment)
        command = [sys.executable, "run.py", "live", *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def control(self, command: str) -> dict[str, Any]:
        return control(command, self.environment)

    def wait_until(self, shows: str, reason: str = "") -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            status = self.control("status")
            if status["ok"] and (status["shows"], status["reason"]) == (shows, reason):
                return status
            assert self.process.poll() is None, "it ended early"
            assert time.monotonic() < until, f"never showed {shows} {reason}, but {status}"

    def stop(self) -> str:
        """End it as with Ctrl-C; returns its stderr."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise

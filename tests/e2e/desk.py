"""A virtual screen with a window manager.

The app is started on it and used by keyboard, as a person would.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.program import PATIENCE, ROOT, control

needs_desk = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("Xvfb", "xdotool", "openbox", "xterm")),
    reason="needs Xvfb, xdotool, openbox and xterm",
)


class Desk:
    """The screen and the programs on it; all of them end with the ``with``.

    Args:
        folder: holds the user's settings and data; empty for a first start.
        size: of the screen, pixels.
    """

    def __init__(self, folder: Path, size: tuple[int, int] = (1440, 900), **environment: str) -> None:
        self._size = size
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self._environment = environment

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        screen = f"{self._size[0]}x{self._size[1]}x24"
        words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"]
        self._processes.append(
            subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL, text=True)
        )
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], 20)
        assert ready, "Xvfb did not start"
        with os.fdopen(reading) as lines:
            display = lines.readline().strip()
        homes = {f"XDG_{name}": str(self._folder) for name in ("DATA_HOME", "CONFIG_HOME", "CACHE_HOME")}
        # Socket files need a short path. If it is too long, the app uses another folder, where it would meet
        # this
        # user's other instances.
        self._runtime = tempfile.TemporaryDirectory(prefix="desk-")
        homes["XDG_RUNTIME_DIR"] = self._runtime.name
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND_"))
        }
        self.environment = (
            inherited | homes | {"DISPLAY": f":{display}", "LANG": "en_US.UTF-8"} | self._environment
        )
        self.start("openbox")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stderr:
                process.stderr.close()
        self._runtime.cleanup()

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if words[0] == sys.executable else subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        return process

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        for key in keys:
            self.run("xdotool", "key", key)

    def focus(self, name: str) -> None:
        """Bring the window whose title contains ``name`` to the front."""

        def activate() -> bool:
            """A window that was just closing may be found and then be gone."""
            windows = self.run("xdotool", "search", "--onlyvisible", "--name", name).split()
            if windows:
                self.run("xdotool", "windowactivate", windows[-1])
            return bool(windows) and self.run("xdotool", "getactivewindow").strip() == windows[-1]

        self.until(activate, f"a window {name} in front")

    def titles(self) -> str:
        return self.run("xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@")

    def picture(self, path: Path) -> None:
        """A picture of the whole screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.which("scrot"):
            self.run("scrot", "-o", str(path))

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}"
            time.sleep(0.05)


class App:
    """The app on a desk."""

    def __init__(self, desk: Desk, *words: str) -> None:
        self.desk = desk
        self.process = desk.start(sys.executable, "run.py", *words)

    def control(self, command: str) -> dict[str, Any]:
        return control(command, self.desk.environment)

    def shows(self, what: str, reason: str = "") -> dict[str, Any]:
        """Wait until the call sees this; returns the status."""
        last: dict[str, Any] = {}

        def look() -> bool:
            last.update(self.control("status"))
            assert self.process.poll() is None, "the app ended"
            return bool(last["ok"]) and (last["shows"], last["reason"]) == (what, reason)

        self.desk.until(look, f"{what} {reason}, the last status being {last}")
        return last

    def stop(self) -> tuple[int, str]:
        """End it as Ctrl-C does; returns exit code and output."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, said

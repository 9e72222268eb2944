"""The end of the program.

At any moment and by any way: without confusing messages, and without leaving anything behind.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from avatar_app.control.server import send_command
from avatar_app.ending import TWIN, WATCHER, background_threads, wait_for_threads
from avatar_app.errors import AvatarError

ROOT = Path(__file__).parents[1]
CLIP = str(ROOT / "assets" / "driving.mp4")
PHOTO = str(ROOT / "assets" / "avatars" / "anna.jpg")
ENDS = int(os.environ.get("AVATAR_ENDS", "28"))
"""Number of ends to try; 60 or more before a release."""
AT_ONCE = 6
"""Number of programs in parallel, which keeps the processor busy."""

LIVE = ("live", "--avatar", "anna", "--output", "{home}/out.mp4")
WINDOW = ("--source", CLIP)
COMMANDS = {
    "window": WINDOW,
    "live": (*LIVE, "--source", CLIP),
    "animate": ("animate", "--avatar", PHOTO, "--driving", CLIP, "--output", "{home}/out.mp4"),
    "short": (*LIVE, "--source", CLIP, "--seconds", "0.3"),
    "serve": ("serve", "--port", "{port}"),
    "wrong": (*LIVE, "--source", "no such camera", "--seconds", "1"),
}
WAYS = [
    ("window", "SIGTERM"),
    ("live", "SIGINT"),
    ("animate", "SIGHUP"),
    ("window", "quit"),
    ("short", ""),
    ("live", "SIGTERM"),
    ("animate", "SIGINT"),
    ("window", "SIGHUP"),
    ("wrong", ""),
    ("window", "SIGINT"),
    ("live", "SIGHUP"),
    ("animate", "SIGTERM"),
    ("serve", "SIGHUP"),
    ("serve", "SIGINT"),
]

needs_signals = pytest.mark.skipif(sys.platform != "linux", reason="looks at signals and at /proc")


@dataclass
class Trial:
    """One program that is ended.

    Attributes:
        moment: seconds after it has begun to handle signals.
    """

    command: str
    way: str
    moment: float
    home: Path

    def start(self) -> None:
        (self.home / "run").mkdir(parents=True, mode=0o700)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XDG_", "DISPLAY", "WAYLAND"))
        }
        place = {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "QT_QPA_PLATFORM": "offscreen",
        }
        words = (word.format(home=self.home, port=free_port()) for word in COMMANDS[self.command])
        self._said = (self.home / "said").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "run.py", *words],
            cwd=ROOT,
            env=kept | place,
            stdout=self._said,
            stderr=self._said,
        )

    def end(self) -> None:
        """Wait for the moment and end it; returns when it is gone."""
        until_it_listens(self.process)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.moment if self.way else 60)
        if self.way == "quit":
            with suppress(AvatarError):  # it does not listen to commands yet
                send_command("quit", path=self.home / "run" / "avatar-app" / "control.socket")
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.terminate()
        elif self.way:
            self.process.send_signal(getattr(signal, self.way))
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        self.process.kill()
        self.process.wait()

    def problem(self) -> str:
        """The fault of the end; empty if there was none."""
        self._said.seek(0)
        said = self._said.read()
        self._said.close()
        asked = {"SIGINT": {130}, "SIGTERM": {143}, "SIGHUP": {129}, "quit": {0, 143}, "": {0, 1}}[self.way]
        left = [path.name for path in self.home.rglob("*.part")]
        bad = [word for word in ("Traceback", "terminate called", "Exception ignored") if word in said]
        for settings in self.home.rglob("settings.json"):
            json.loads(settings.read_text())
        if self.process.returncode in asked and not left and not bad:
            return ""
        return f"{self} ended with {self.process.returncode}, left {left} and said: {said[-2000:]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_it_listens(process: subprocess.Popen[bytes]) -> None:
    """Wait until the program has taken over SIGTERM.

    Before that, Python ends, not the app.
    """
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:") and int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
        time.sleep(0.01)


def trials(folder: Path) -> Iterator[Trial]:
    moments = random.Random(23)
    for number, (command, way) in enumerate(itertools.islice(itertools.cycle(WAYS), ENDS)):
        yield Trial(command, way, moments.uniform(0, 4), folder / str(number))


def groups(folder: Path) -> Iterator[list[Trial]]:
    """As many trials as run beside each other."""
    waiting = trials(folder)
    while group := list(itertools.islice(waiting, AT_ONCE)):
        yield group


@needs_signals
def test_no_end_aborts_or_leaves_anything(tmp_path: Path) -> None:
    problems = []
    for group in groups(tmp_path):
        threads = []
        for trial in group:
            trial.start()
            threads.append(threading.Thread(target=trial.end))
            threads[-1].start()
        for thread in threads:
            thread.join()
        problems += [problem for trial in group if (problem := trial.problem())]
    assert problems == []


BEGIN = "import os, signal, sys, threading, time\nfrom avatar_app.ending import ENDING, Ended, leave\n"


def run(code: str, begin: str = BEGIN + "ENDING.listen()\n") -> subprocess.Popen[str]:
    """A program that exits as the app does."""
    return subprocess.Popen(
        [sys.executable, "-c", begin + code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_signals
@pytest.mark.parametrize(("name", "wait"), [("SIGINT", 0.1), ("SIGTERM", TWIN + 0.2), ("SIGHUP", TWIN + 0.2)])
def test_a_second_signal_always_ends(name: str, wait: float) -> None:
    """Even if the main thread is in native code that never returns, such as a model in an endless
    computation.
    """
    endless = """
import ctypes
wait = ctypes.CDLL(None).sleep  # gives the interpreter away, as libraries do that compute long
try:
    print('ready', flush=True)
    while True: wait(60)
except Ended:
    while True: wait(60)
"""
    with run(endless) as program:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        program.send_signal(getattr(signal, name))
        with suppress(subprocess.TimeoutExpired):
            program.wait(wait)
        program.send_signal(getattr(signal, name))
        assert program.wait(30) == 128 + getattr(signal, name)


@needs_signals
def test_a_signal_before_the_event_loop_ends_the_window(tmp_path: Path) -> None:
    """Qt ignores a request to quit that comes before its loop runs."""
    code = f"""
from avatar_app.cli import program
from avatar_app.gui.start import Started
show = Started.show
def show_and_be_ended(started):
    show(started)
    os.kill(os.getpid(), signal.SIGTERM)
Started.show = show_and_be_ended
sys.argv = ["avatar-app", "--source", {CLIP!r}]
program()
"""
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    program = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        check=False,
        cwd=ROOT,
        env=kept | home,
        capture_output=True,
        timeout=60,
    )
    assert program.returncode == 143


@needs_signals
def test_two_signals_at_once_do_not_cut_the_tidying_short() -> None:
    """A closed terminal sends two; a recording must still be closed."""
    code = """
try:
    print('ready', flush=True)
    time.sleep(60)
except Ended as ended:
    time.sleep(0.5)
    print('tidy')
    leave(ended.code)
"""
    with run(code) as program:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGHUP)
        program.send_signal(signal.SIGTERM)
        said, errors = program.communicate(timeout=30)
    assert (said, errors) == ("tidy\n", "")
    assert program.returncode in (129, 143)  # the system need not keep their order


@needs_signals
def test_a_signal_that_a_destructor_swallows_comes_again() -> None:
    code = """
class Slow:
    def __del__(self):
        print('ready', flush=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and not ENDING.received: time.sleep(0.01)
try:
    slow = Slow()
    del slow
    time.sleep(60)
except Ended as ended:
    leave(ended.code)
"""
    with run(code) as program:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGTERM)
        said, errors = program.communicate(timeout=30)
    assert (program.returncode, said, errors) == (143, "", "")


@needs_signals
def test_an_import_is_not_torn_apart(tmp_path: Path) -> None:
    """Native modules abort the process if an exception is raised in their imports."""
    slow = "import time\nprint('ready', flush=True)\ntime.sleep(0.5)\nprint('whole', flush=True)\n"
    (tmp_path / "slow_module.py").write_text(slow)
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
try:
    import slow_module
    time.sleep(60)
except Ended as ended:
    leave(ended.code)
"""
    with run(code) as program:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGTERM)
        said, errors = program.communicate(timeout=30)
    assert (program.returncode, said, errors) == (143, "whole\n", "")


@needs_signals
def test_what_the_parent_ignores_stays_ignored() -> None:
    """As under nohup: a closed terminal must not end what was started to outlive it."""
    code = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
ENDING.listen()
os.kill(os.getpid(), signal.SIGHUP)
leave(7)
"""
    with run(code, BEGIN) as program:
        assert program.communicate(timeout=30) == ("", "")
    assert program.returncode == 7


def test_the_end_waits_for_threads_but_not_for_ever() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="slow")
    thread.start()
    try:
        assert thread in background_threads()
        assert "slow" in wait_for_threads(0.01)
    finally:
        go.set()
    thread.join()
    assert "slow" not in wait_for_threads(0.01)
    assert WATCHER not in [thread.name for thread in background_threads()]


@needs_signals
def test_a_thread_in_native_code_does_not_abort_the_end() -> None:
    """Python stops daemon threads where they next acquire the GIL, in the middle of C++, which aborts the
    process.
    """
    code = """
import cv2, numpy as np
def work():
    while True: cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
leave(0)
"""
    with run(code) as program:
        assert program.communicate(timeout=60) == ("", "")
    assert program.returncode == 0

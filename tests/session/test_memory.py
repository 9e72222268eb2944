"""One heap for all threads, and networks that keep no memory without need."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from avatar_app import onnx_runtime
from avatar_app.bundles.bundle import open_bundle
from avatar_app.control.server import NotRunning, send_command
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.faces.detector import FaceDetector
from avatar_app.onnx_runtime import OnnxSession
from tests.e2e.program import PATIENCE
from tests.e2e.test_live_command import home

CODE = """
import ctypes, sys, threading
from avatar_app.session.memory import give_memory_back, share_heap

if sys.argv[1] == "shared":
    share_heap()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
libc.malloc.argtypes, libc.fclose.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
together = threading.Barrier(4)

def work():
    together.wait()
    libc.malloc(5000)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
give_memory_back()
file = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


HEAP = 64 << 20
"""Bytes of address space that glibc takes for a thread's heap on 64-bit systems, aligned to as many."""


def is_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL("libc.so.6"), "gnu_get_libc_version")
    except OSError:
        return False


@pytest.mark.skipif(not is_glibc(), reason="needs glibc")
def test_threads_allocate_from_one_heap() -> None:
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", CODE, how]
        told = subprocess.run(
            command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True
        )
        return told.stdout.count("<heap nr=")

    assert heaps("shared") == 1
    assert heaps("own") > 1


@pytest.mark.skipif(not is_glibc(), reason="needs glibc")
def test_the_program_has_one_heap(tmp_path: Path) -> None:
    words = [sys.executable, "run.py", "live", "--source", "0", "--avatar", "anna", "--output", "none"]
    program = subprocess.Popen(words, cwd=Path(__file__).parents[2], env=home(tmp_path))
    try:
        socket, until = tmp_path / "avatar-app" / "control.socket", time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                send_command("status", path=socket)
                break
            except NotRunning:
                time.sleep(0.02)
        tasks = len(list(Path(f"/proc/{program.pid}/task").iterdir()))
        maps = Path(f"/proc/{program.pid}/maps").read_text().splitlines()
    finally:
        program.kill()
        program.wait()
    assert tasks > 4
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    kinds = [line.split()[1] for line in maps]
    for place, ((begin, _), (_, end)) in enumerate(itertools.pairwise(ranges)):
        is_heap = begin % HEAP == 0 and end - begin == HEAP and kinds[place : place + 2] == ["rw-p", "---p"]
        assert not is_heap, maps[place]


def test_networks_that_run_seldom_keep_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    keeps = {}

    class Noted(OnnxSession):
        def __init__(self, model: bytes, title: str, *others: Any, **named: Any) -> None:
            super().__init__(model, title, *others, **named)
            keeps[Path(title).name] = self._session.get_session_options().enable_cpu_mem_arena

    monkeypatch.setattr(onnx_runtime, "OnnxSession", Noted)
    monkeypatch.setattr("avatar_app.engines.onnx_render.OnnxSession", Noted)
    OnnxEngine(open_bundle("lite"), 1).close()
    FaceDetector.open()
    assert keeps == {
        "encode.onnx": False,
        "render.onnx": True,
        "finder.onnx": False,
        "landmarks.onnx": True,
        "expression.onnx": True,
    }

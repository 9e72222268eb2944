"""One heap for all threads."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

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

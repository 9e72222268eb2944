"""Read files that may be hostile in a child process; return only plain numbers.

A few bytes of a checkpoint can stand for gigabytes, or for a key whose hash takes years, in ways that no
reader checks. The effects of such a file end with the child. The limit of memory needs Linux; elsewhere only
time is limited.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from avatar_app.errors import BundleError
from avatar_app.files import reason
from avatar_app.text import Text, from_plain, to_plain

SPARE = 1 << 30
"""Bytes that the child may use beyond a multiple of the file's size."""

COPIES = 4
"""Multiple of a file's size that its reader may hold: the file, its tensors, those that are kept, the
output.
"""

SECONDS = 60
"""Processor time for a file of up to 100 MB; larger ones get more."""

Work = Callable[[Path, Path], None]
"""Reads the first file and writes the second, as safetensors. Raises BundleError."""


def read_in_child(work: Work, path: Path) -> dict[str, Any]:
    """Run ``work`` on ``path`` in a child process and return the arrays by name.

    Args:
        work: a function at the top level of a module.

    Raises:
        BundleError: raised by ``work``; the file takes far too much memory or time; no room for a temporary
            file.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="avatar-") as folder:
            target = Path(folder) / "numbers.safetensors"
            _run(work, path, target, SECONDS * max(1.0, path.stat().st_size / 1e8))
            return dict(load_file(target))
    except SafetensorError as error:
        raise BundleError(Text("{} cannot be read: {}.", path, error), Text("Download it again.")) from None
    except OSError as error:
        raise BundleError(
            Text("{} cannot be read: {}.", path, reason(error)), Text("Check the path, and free some space.")
        ) from None


def _run(work: Work, path: Path, target: Path, seconds: float) -> None:
    processes = _children([__name__, work.__module__])
    ours, theirs = processes.Pipe(duplex=False)
    child = processes.Process(target=_child, args=(work, path, target, seconds, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        # The child's own limit counts processor time; on a busy computer more wall time passes.
        said = json.loads(ours.recv_bytes()) if ours.poll(10 * seconds) else None
    except (EOFError, OSError):
        said = None  # its limits have ended it
    finally:
        child.kill()
        child.join()
        ours.close()
    if said is None:
        raise BundleError(
            Text("{} would take far too much memory or time to read, so it was not.", path),
            Text("Use another file."),
        )
    if said:
        raise BundleError(*map(from_plain, said))


def _children(modules: list[str]) -> SpawnContext | ForkServerContext:
    """Return how to start children: if possible from a process with these modules."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(modules)
    return context


def _child(work: Work, path: Path, target: Path, seconds: float, parent: Connection) -> None:
    """Run in the child; send an empty list when done, else a message and a hint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries' messages do not help the user
    said: list[Text] = []
    try:
        _limit(COPIES * path.stat().st_size + SPARE, seconds)
        work(path, target)
    except BundleError as error:
        said = [error.message, error.hint]
    except MemoryError:
        said = [
            Text("{} would take far too much memory to read, so it was not.", path),
            Text("Use another file."),
        ]
    parent.send_bytes(json.dumps([to_plain(text) for text in said]).encode())


def _limit(more: int, seconds: float) -> None:
    """Limit this process to ``more`` memory and ``seconds`` of processor time."""
    if importlib.util.find_spec("resource") is None:
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    end = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (end, end))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (_data() + more, _data() + more))


def _data() -> int:
    """Return the bytes of private memory that this process has reserved."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))

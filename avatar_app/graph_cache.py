"""Keep graphs as ONNX Runtime has optimised them.

Optimising takes most of the time in which they open. The files hold networks alone, in the user's cache
folder, and fit one version of the library and one kind of processor. Whatever goes wrong with them, graphs
open as without.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from avatar_app.paths import user_graphs
from avatar_app.processor import cpu_features

MOST = 64 << 20
"""Bytes of all files together; those of the app's own models have 19 MB."""

DIGEST = hashlib.sha256().digest_size


def graph_file(model: bytes, version: str) -> Path:
    """Return the file of a model's optimised graph.

    Args:
        version: of ONNX Runtime.
    """
    digest = hashlib.sha256(model)
    digest.update(f"|{version}|{cpu_features()}".encode())
    return user_graphs() / f"{digest.hexdigest()[:32]}.onnx"


def read_graph(path: Path) -> bytes | None:
    """Return a kept graph; None without one, or if it is damaged."""
    with suppress(OSError):
        content = path.read_bytes()
        graph, digest = content[:-DIGEST], content[-DIGEST:]
        if hashlib.sha256(graph).digest() == digest:
            os.utime(path)
            return graph
    return None


def keep_graph(path: Path, write: Callable[[Path], object]) -> None:
    """Keep what ``write`` writes into the file it is given. Raises OSError.

    That is the file itself, since the program may end meanwhile: without its digest it counts as damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        write(path)
        digest = hashlib.sha256(path.read_bytes()).digest()
        with path.open("ab") as file:
            file.write(digest)
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    _remove_oldest(path.parent)


def _remove_oldest(folder: Path) -> None:
    """Remove the files not used for the longest time, until the others fit."""
    total = 0
    for path in sorted(folder.glob("*.onnx"), key=lambda path: -path.stat().st_mtime):
        total += path.stat().st_size
        if total > MOST:
            path.unlink(missing_ok=True)

"""Files that expand to gigabytes or take years.

They are read in a child process with limits, and reported in one sentence.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import sys
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avatar_app import untrusted
from avatar_app.errors import BundleError
from avatar_app.evaluation.parity import compare, read_arrays
from avatar_app.networks.families import open_original
from tests.fuzz.bounds import bounded
from tests.fuzz.test_checkpoints import Run, compressed
from tests.support.originals import write_original


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    files = write_original(tmp_path_factory.mktemp("original"))
    open_original(*files)  # loads PyTorch once in the parent of the child processes, at no input's cost
    return files


def with_endless_key(path: Path, original: Path) -> Path:
    """A checkpoint with a tuple as a key whose hash takes 2 ** 60 steps.

    Written by hand, because pickling it would hash it too.
    """

    def word(text: str) -> bytes:
        return b"X" + len(text).to_bytes(4, "little") + text.encode()

    twice = b"h\x00\x86q\x00"  # (x, x) for the x on the stack
    pickled = b"\x80\x02}" + word("generator") + b"})q\x00" + 60 * twice + b"}ss."
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, pickled if entry.filename.endswith("data.pkl") else old.read(entry))
    return path


def with_version(data: bytes, version: int) -> bytes:
    """A zip in which every entry declares that it needs this version of a program."""
    out = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 4), (b"PK\x01\x02", 6)):
        place = out.find(mark)
        while place >= 0:
            out[place + at : place + at + 2] = version.to_bytes(2, "little")
            place = out.find(mark, place + 4)
    return bytes(out)


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux alone")
def test_a_few_bytes_that_take_gigabytes(original: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth.tar"
    torch.save({"generator": {"a": Run(bytearray, 5_000_000_000)}, "kp_detector": {}}, path)
    with bounded(), pytest.raises(BundleError, match="memory"):
        open_original(path, original[1])


def test_a_few_bytes_that_take_years(
    original: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrusted, "SECONDS", 1)
    path = with_endless_key(tmp_path / "bomb.pth.tar", original[0])
    with bounded(), pytest.raises(BundleError, match="memory or time"):
        open_original(path, original[1])


def test_a_packed_zip_of_a_version_that_nobody_knows(original: tuple[Path, Path], tmp_path: Path) -> None:
    path = compressed(tmp_path, original[0])
    path.write_bytes(with_version(path.read_bytes(), 99))
    with bounded(), pytest.raises(BundleError, match="packed"):
        open_original(path, original[1])


def test_the_child_is_gone_after_an_interrupt(
    original: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends what would take years."""
    path = with_endless_key(tmp_path / "bomb.pth.tar", original[0])

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(multiprocessing.connection.Connection, "poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_original(path, original[1])
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("place", ["header", "data", "name"])
def test_damaged_arrays(tmp_path: Path, place: str) -> None:
    """Each layer of an .npz has its own error: zlib's, the tokeniser's, NumPy's."""
    file = BytesIO()
    np.savez_compressed(file, kp_source_value=np.zeros((1, 10, 2), np.float32))
    data = bytearray(file.getvalue())
    at = {"header": 60, "data": len(data) // 2, "name": 32}[place]
    data[at : at + 8] = b"\xff" * 8
    path = tmp_path / "arrays.npz"
    path.write_bytes(data)
    with bounded(), suppress(BundleError):
        read_arrays(path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, }",
        "(" * 400,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999,)}",
    ],
)
def test_headers_of_arrays_that_lie(tmp_path: Path, header: str) -> None:
    text = header.encode().ljust(118) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
    path = tmp_path / "arrays.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("kp_source_value.npy", array)
    with bounded(), pytest.raises(BundleError):
        read_arrays(path)


@pytest.mark.parametrize("shape", [(), (3,), (1, 4), (0, 10, 2), (1, 10, 2, 2, 2)])
def test_arrays_of_other_shapes_are_said(
    original: tuple[Path, Path], tmp_path: Path, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "arrays.npz"
    names = (
        "source",
        "kp_source_value",
        "kp_initial_value",
        "kp_driving_value",
        "relative_kp_value",
        "align_corners",
    )
    arrays: dict[str, Any] = {name: np.ones(shape, np.float32) for name in names}
    np.savez(path, **arrays)
    with bounded(), pytest.raises(BundleError):
        compare(original[0], original[1], path, None)

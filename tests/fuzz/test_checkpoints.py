"""Checkpoints that would run code, declare wrong sizes or are damaged.

The result is weights or a BundleError, and no code runs.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avatar_app.errors import BundleError, ConfigError
from avatar_app.networks.families import open_original
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import damaged
from tests.support.originals import write_original, write_original_monkeynet, write_original_x2face


@pytest.fixture(scope="module", params=["fomm", "monkeynet", "x2face"])
def original(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path | None]:
    folder = tmp_path_factory.mktemp("original")
    files: tuple[Path, Path | None] = (write_original_x2face(folder), None)
    if request.param != "x2face":
        files = (write_original_monkeynet if request.param == "monkeynet" else write_original)(folder)
    open_original(*files)  # loads PyTorch once in the parent of the child processes, at no input's cost
    return files


def attempt(checkpoint: Path, configuration: Path | None) -> None:
    with bounded(), suppress(BundleError, ConfigError):
        open_original(checkpoint, configuration)


@fuzz(5)
@given(data=st.data())
def test_damaged_checkpoints(original: tuple[Path, Path | None], tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged.pth.tar"
    path.write_bytes(data.draw(damaged(original[0].read_bytes())))
    attempt(path, original[1])


@fuzz(5)
@given(data=st.data())
def test_damaged_pickles_within_a_checkpoint(
    original: tuple[Path, Path | None], tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "damaged.pth.tar"
    with zipfile.ZipFile(original[0]) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(
                entry, data.draw(damaged(content)) if entry.filename.endswith("data.pkl") else content
            )
    attempt(path, original[1])


class Run:
    """Pickles to a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


CALLS: dict[str, Callable[[Path], object]] = {
    "a shell": lambda mark: Run(os.system, f"touch {mark}"),
    "exec": lambda mark: Run(exec, f"open({str(mark)!r}, 'w')"),
    "a folder": lambda mark: Run(os.mkdir, str(mark)),
    "torch itself": lambda mark: Run(torch.save, 1, str(mark)),
    "loading again": lambda mark: Run(torch.load, str(mark)),
}


@pytest.mark.parametrize("way", ["zip", "plain", "bare pickle"])
@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_run(original: tuple[Path, Path | None], tmp_path: Path, call: str, way: str) -> None:
    path, mark = tmp_path / "evil.pth.tar", tmp_path / "ran"
    content = {"generator": CALLS[call](mark), "kp_detector": {}}
    if way == "bare pickle":
        path.write_bytes(pickle.dumps(content, 2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=way == "zip")
    with bounded(), pytest.raises(BundleError):
        open_original(path, original[1])
    assert not mark.exists()


def compressed(folder: Path, original: Path) -> Path:
    """A zip with compressed entries: zeros take no space in it."""
    path = folder / "bomb.pth.tar"
    with (
        zipfile.ZipFile(original) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for entry in old.infolist():
            new.writestr(
                entry.filename, bytes(64 << 20) if entry.filename.endswith("data.pkl") else old.read(entry)
            )
    return path


def test_a_packed_checkpoint_does_not_unfold(original: tuple[Path, Path | None], tmp_path: Path) -> None:
    path = compressed(tmp_path, original[0])
    with bounded(), pytest.raises(BundleError):
        open_original(path, original[1])


ODD_WEIGHTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "on no device": lambda weight: weight.to("meta"),
    "sparse": lambda weight: weight.to_sparse(),
    "complex": lambda weight: weight.to(torch.complex64),
    "one number seen a billion times": lambda weight: torch.zeros(1).expand(1 << 20, 1 << 10),
    "wrong shape": lambda weight: weight[None],
    "whole numbers": lambda weight: weight.to(torch.int8),
}


@pytest.mark.parametrize("kind", ODD_WEIGHTS)
def test_odd_weights(original: tuple[Path, Path | None], tmp_path: Path, kind: str) -> None:
    content = torch.load(original[0], weights_only=True)
    for part in {"generator", "kp_detector", "state_dict"} & content.keys():
        content[part] = {name: ODD_WEIGHTS[kind](weight) for name, weight in content[part].items()}
    path = tmp_path / "odd.pth.tar"
    torch.save(content, path)
    attempt(path, original[1])


def test_a_size_that_only_the_file_believes_in(original: tuple[Path, Path | None], tmp_path: Path) -> None:
    """The plain format declares how much to allocate before anything is read."""
    file = BytesIO()
    torch.save(
        {"generator": {"a": torch.zeros(3)}, "kp_detector": {}}, file, _use_new_zipfile_serialization=False
    )
    data = file.getvalue()
    path = tmp_path / "lies.pth.tar"
    for size in (1 << 31, 1 << 40, 1 << 62, (1 << 64) - 1):
        path.write_bytes(data[:-20] + size.to_bytes(8, "little") + data[-12:])
        attempt(path, original[1])


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_kp", 10**8), ("block_expansion", 10**7), ("num_blocks", 10**6), ("max_features", 10**9)],
)
def test_a_configuration_that_asks_for_giant_networks(
    original: tuple[Path, Path | None], tmp_path: Path, key: str, value: int
) -> None:
    if original[1] is None:
        pytest.skip("it has no configuration")
    lines = [
        f"{line.split(key)[0]}{key}: {value}" if line.strip().startswith(f"{key}:") else line
        for line in original[1].read_text().splitlines()
    ]
    path = tmp_path / "giant.yaml"
    path.write_text("\n".join(lines))
    attempt(original[0], path)

"""Which programs are run, and how files are sorted."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from avatar_app.files import find_program, natural

NAME = "some-tool" + (".exe" if sys.platform == "win32" else "")


def put(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / NAME
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_program_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows searches there first; other systems do with a dot in the search path."""
    put(tmp_path / "downloads")
    monkeypatch.chdir(tmp_path / "downloads")
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "../downloads"]))
    assert find_program("some-tool") is None
    own = put(tmp_path / "bin")
    monkeypatch.setenv("PATH", os.pathsep.join([".", str(tmp_path / "bin")]))
    assert find_program("some-tool") == str(own)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
def test_only_what_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "bin").chmod(0o644)
    (tmp_path / "bin" / "folder").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_program("some-tool") is None
    assert find_program("folder") is None


def test_names_come_as_people_count() -> None:
    names = ["", "2", "2a", "10", "!", "a", "a2", "a2b", "a10", "a!", "b٣", "b12"]
    assert all(natural(one) < natural(other) for one, other in pairwise(names))

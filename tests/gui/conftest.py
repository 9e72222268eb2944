"""Fixtures for windows that stay off-screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def own_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the finder of one test finds is unknown to the next."""
    monkeypatch.setattr("avatar_app.gui.gallery.gallery.user_found_faces", lambda: tmp_path / "faces.json")

"""Whatever fails in a test's desktop session, nothing of it stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e import desktop
from tests.e2e.desktop import Desktop

missing = desktop.missing_programs()
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")

ORPHAN = "import os, time; os.fork() or (os.setsid(), time.sleep(600))"


def test_nothing_stays_when_a_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "ENDING", 0.3)
    displays = set(Path("/tmp/.X11-unix").glob("X*"))
    with pytest.raises(AssertionError, match=r"has ended\. (.|\n)*python"), Desktop() as desk:
        desk.start(sys.executable, "-c", ORPHAN)
        desk.wait_for(lambda: False, "what never comes")
    assert desk.left >= 1, "the orphan had to be killed"
    assert not desk.folder.exists()
    assert set(Path("/tmp/.X11-unix").glob("X*")) == displays
    assert not [process for process in Path("/proc").glob("[0-9]*") if is_in(desk, process)]


def is_in(desk: Desktop, process: Path) -> bool:
    try:
        return int(process.name) != os.getpid() and bytes(desk.folder) in (process / "environ").read_bytes()
    except OSError:
        return False

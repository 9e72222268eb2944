"""Starting with the desktop's session, and a global shortcut for each avatar."""

from __future__ import annotations

import plistlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from avatar_app.errors import OutputError
from avatar_app.gui.autostart import command, set_autostart
from avatar_app.gui.dialogs.settings import SettingsDialog
from avatar_app.gui.remote import Remote
from avatar_app.gui.settings import Settings
from tests.gui.windows import open_window


def test_a_desktop_entry_comes_and_goes(tmp_path: Path) -> None:
    entry = tmp_path / ".config" / "autostart" / "avatar-app.desktop"
    set_autostart(True, "linux", tmp_path)
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines()[1:])
    assert (lines["Type"], lines["Terminal"]) == ("Application", "false")
    assert shlex.split(lines["Exec"]) == command()
    set_autostart(False, "linux", tmp_path)
    set_autostart(False, "linux", tmp_path)
    assert not entry.exists()


def test_a_launch_agent_comes_and_goes(tmp_path: Path) -> None:
    agent = tmp_path / "Library" / "LaunchAgents" / "avatar-app.plist"
    set_autostart(True, "darwin", tmp_path)
    assert plistlib.loads(agent.read_bytes())["ProgramArguments"] == command()
    set_autostart(False, "darwin", tmp_path)
    assert not agent.exists()


def test_the_command_starts_the_app() -> None:
    done = subprocess.run([*command(), "--version"], check=False, capture_output=True, text=True)
    assert command()[0] == sys.executable
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="log-in"):
        set_autostart(True, "linux", tmp_path)


def test_each_avatar_can_have_a_global_shortcut(qtbot: QtBot, tmp_path: Path) -> None:
    settings = Settings(hotkeys={"avatar-2": "Ctrl+Alt+2"})
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    assert dialog.hotkeys.names["avatar-2"].text() == "Avatar 2"
    assert dialog.settings() == settings
    opened = open_window(qtbot, tmp_path)
    remote = Remote(opened.window, tmp_path / "run" / "control.socket")
    remote._do("avatar-2")  # what the shortcut sends
    assert opened.live.controls.avatar is not None
    assert opened.live.controls.avatar.stem == "marco"

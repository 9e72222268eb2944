"""Starting with the desktop's session, and a global shortcut for each avatar."""

from __future__ import annotations

import plistlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer
from pytestqt.qtbot import QtBot

from avatar_app.errors import OutputError
from avatar_app.gui.autostart import command, set_autostart
from avatar_app.gui.dialogs.settings import SettingsDialog
from avatar_app.gui.remote import Remote
from avatar_app.gui.settings import Settings
from avatar_app.gui.style.icons import APP_SIDES, app_icon
from avatar_app.paths import icons_folder
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


def test_the_desktop_file_starts_the_installed_app_and_names_its_icon() -> None:
    lines = dict(
        line.split("=", 1)
        for line in (icons_folder() / "avatar-app.desktop").read_text("utf-8").splitlines()[1:]
    )
    assert (lines["Exec"], lines["Icon"], lines["StartupWMClass"]) == ("avatar-app",) * 3
    assert lines["Comment[ru]"] and lines["Categories"].endswith(";")


def test_the_icon_has_the_same_drawing_in_every_size(qtbot: QtBot) -> None:
    drawing = QSvgRenderer(str(icons_folder() / "avatar-app.svg"))
    assert drawing.isValid()
    for side in (*APP_SIDES, 512):
        file = QImage(str(icons_folder() / f"avatar-app-{side}.png"))
        assert (file.width(), file.height()) == (side, side)
        drawn = QImage(side, side, QImage.Format.Format_ARGB32)
        drawn.fill(0)
        painter = QPainter(drawn)
        drawing.render(painter)
        painter.end()
        for x, y in ((0, 0), (side // 2, side // 2), (side * 3 // 4, side // 3), (side // 3, side * 5 // 6)):
            there, here = file.pixelColor(x, y), drawn.pixelColor(x, y)
            assert abs(there.alpha() - here.alpha()) < 60
            assert abs(there.lightness() - here.lightness()) < 60 or not here.alpha()


def test_the_icon_shows_what_others_see(qtbot: QtBot) -> None:
    side = 64
    plain, good, bad = (app_icon(kind).pixmap(side, side).toImage() for kind in ("", "good", "bad"))
    where = round(side * 0.78)
    assert good.pixelColor(where, where).green() > good.pixelColor(where, where).red() + 60
    assert bad.pixelColor(where, where).red() > bad.pixelColor(where, where).green() + 60
    assert plain.pixelColor(side // 8, side // 2).blue() > 180

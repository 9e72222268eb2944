"""The tray's menu."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from avatar_app.gui.tray import Tray
from tests.gui.stand_in import LIVE


def test_the_menu_asks_for_actions_and_shows_how_things_are(qtbot: QtBot) -> None:
    tray = Tray()
    asked: list[str] = []
    tray.asked.connect(asked.append)
    for action in tray.actions.values():
        action.trigger()
    assert asked == ["show", "pause", "calibrate", "quit"]
    tray.show_status(LIVE, paused=True)
    assert tray.actions["pause"].isChecked()
    assert "your avatar" in tray.icon.toolTip()
    tray.show_status(LIVE, paused=False)
    assert not tray.actions["pause"].isChecked()
    tray.close()

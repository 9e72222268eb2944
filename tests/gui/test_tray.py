"""The tray's menu."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from avatar_app.gui.headline import Headline
from avatar_app.gui.tray import Tray
from tests.gui.windows import make_library


def test_the_menu_asks_for_actions_and_shows_how_things_are(qtbot: QtBot) -> None:
    tray = Tray()
    asked: list[str] = []
    tray.asked.connect(asked.append)
    for action in tray.actions.values():
        action.trigger()
    assert asked == ["show", "next-avatar", "pause", "calibrate", "quit"]
    tray.show_status(Headline("warning", "Paused"), paused=True)
    assert tray.actions["pause"].text() == "Resume"
    assert "Paused" in tray.icon.toolTip()
    before = tray.icon.icon().cacheKey()
    tray.show_status(Headline("good", "Live to Avatar Camera"), paused=False)
    assert tray.actions["pause"].text() == "Pause"
    assert tray.state.text() == "Live to Avatar Camera"
    assert tray.icon.icon().cacheKey() != before, "the dot has another colour"
    tray.close()


def test_the_menu_offers_the_avatars(qtbot: QtBot, tmp_path: Path) -> None:
    tray, entries = Tray(), make_library(tmp_path).entries()
    chosen: list[object] = []
    tray.chosen.connect(chosen.append)
    tray.list_avatars(entries, entries[1])
    actions = tray.avatars.actions()
    assert [(action.text(), action.isChecked()) for action in actions] == [
        ("Anna", False),
        ("Marco", True),
        ("Zola", False),
    ]
    actions[2].trigger()
    assert chosen == [entries[2]]
    tray.close()

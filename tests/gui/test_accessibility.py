"""Accessibility for screen readers: every control has a name, and correct role and state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.dialogs.about import AboutDialog
from avatar_app.gui.dialogs.keys import KeysDialog
from avatar_app.gui.dialogs.settings import SettingsDialog
from avatar_app.gui.guide.guide import Guide
from avatar_app.gui.settings import Settings
from avatar_app.gui.style.theme import DARK, LIGHT, Theme
from avatar_app.gui.style.widgets import ChoiceBox
from avatar_app.motion.match import Match
from avatar_app.session.controls import Notice
from avatar_app.text import Text
from tests.gui.windows import Opened, open_window

Role = QAccessible.Role
NAMED = (
    *(Role.Button, Role.CheckBox, Role.ComboBox, Role.Slider, Role.EditableText, Role.ProgressBar, Role.List),
    *(Role.PageTabList, Role.PageTab, Role.MenuItem, Role.ButtonMenu, Role.Table),
)
"""Widgets that a user can operate or read."""


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    opened = open_window(qtbot, tmp_path)
    opened.window.view.open_drawer(True)
    opened.live.report(
        shows="card",
        reason="uncalibrated",
        calibrated=False,
        match=Match(0.4, 0.2, 0.5, 0.9),
        notices=(
            Notice("camera", "error", Text("No camera is connected."), Text("Connect one."), ("retry",)),
        ),
    )
    opened.window.say("Saved", {"Open": int})
    opened.window.refresh()
    return opened


def walk(node: QAccessibleInterface | None, path: str = "") -> Iterator[tuple[str, QAccessibleInterface]]:
    if node is None or not node.isValid():
        return
    role = node.role()
    here = f"{path}/{role.name}:{node.text(QAccessible.Text.Name)}"
    yield here, node
    for number in range(node.childCount()):
        yield from walk(node.child(number), here)


def nameless(root: QWidget) -> list[str]:
    return [
        path
        for path, node in walk(QAccessible.queryAccessibleInterface(root))
        if node.role() in NAMED
        and not node.state().invisible
        and not node.text(QAccessible.Text.Name).strip()
        and not _is_inner(node)
    ]


def _is_inner(node: QAccessibleInterface) -> bool:
    """The list inside a combo box and the buttons of scroll bars belong to a named widget."""
    parent = node.parent()
    roles = []
    while parent is not None and parent.isValid():
        roles.append(parent.role())
        parent = parent.parent()
    return not {Role.ComboBox, Role.ScrollBar, Role.EditableText}.isdisjoint(roles)


def test_every_control_of_the_window_has_a_name(opened: Opened) -> None:
    for tab in range(opened.window.view.panel.count()):
        opened.window.view.panel.setCurrentIndex(tab)
        assert nameless(opened.window) == []


@pytest.mark.parametrize("kind", ["guide", "preferences", "keys", "about"])
def test_every_control_of_the_dialogs_has_a_name(opened: Opened, qtbot: QtBot, kind: str) -> None:
    window = opened.window
    dialog: QWidget
    if kind == "guide":
        window.dialogs.open_guide()
        guide = window.findChild(Guide)
        assert isinstance(guide, Guide)
        for step in range(guide.LAST + 1):
            guide.show_step(step)
            guide.poll()
            assert nameless(guide) == []
        guide.reject()
        return
    if kind == "preferences":
        dialog = SettingsDialog(Settings(), window)
        for tab in range(dialog.tabs.count()):
            dialog.tabs.setCurrentIndex(tab)
            dialog.show()
            assert nameless(dialog) == []
    else:
        dialog = KeysDialog({}, {}, window) if kind == "keys" else AboutDialog(window)
        dialog.show()
        assert nameless(dialog) == []
    dialog.close()


def test_lists_announce_their_label_and_meters_are_progress_bars(opened: Opened) -> None:
    view = opened.window.view
    meter = QAccessible.queryAccessibleInterface(view.area.calibration.meters["score"])
    assert meter is not None
    assert (meter.role(), meter.text(QAccessible.Text.Name)) == (Role.ProgressBar, "Match")
    assert meter.text(QAccessible.Text.Value).rstrip("%") == "40"
    for label in view.findChildren(
        QLabel
    ):  # on Linux the name of a list is its current choice; its label is exposed as a relation
        if isinstance(label.buddy(), ChoiceBox):
            assert label.text() == label.buddy().accessibleName()
    named = {label.buddy() for label in view.findChildren(QLabel)}
    assert {view.panel.choices["size"], view.panel.model.choice, view.panel.sliders["head"].slider} <= named


def test_pause_is_a_plain_button_that_says_what_it_does(opened: Opened) -> None:
    button = opened.window.view.tools.buttons["pause"]
    for paused, name in ((False, "Pause"), (True, "Resume")):
        opened.live.change(paused=paused)
        opened.window.refresh()
        seen = QAccessible.queryAccessibleInterface(button)
        assert seen is not None
        assert (seen.text(QAccessible.Text.Name), seen.state().checkable) == (name, False)


def test_menus_have_keys_of_their_own(opened: Opened) -> None:
    titles = [action.text() for action in opened.window.view.header.menu.menu().actions() if action.menu()]
    assert len(titles) == 5
    assert all("&" in title for title in titles)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_borders_are_seen(theme: Theme) -> None:
    texts = {
        (name, ground): contrast(getattr(theme, name), getattr(theme, ground))
        for name in ("text", "muted", "faint", "warning", "bad", "info")
        for ground in ("ground", "panel", "field")
    }
    texts |= {
        (name, f"{name}_ground"): contrast(getattr(theme, name), getattr(theme, f"{name}_ground"))
        for name in ("good", "warning", "bad", "info")
    }
    texts["on_accent", "accent"] = contrast(theme.on_accent, theme.accent)
    texts["panel", "bad"] = contrast(theme.panel, theme.bad)
    assert {pair: round(value, 2) for pair, value in texts.items() if value < 4.5} == {}
    borders = {
        (name, ground): contrast(getattr(theme, name), getattr(theme, ground))
        for name in ("edge", "accent")
        for ground in ("ground", "panel", "field")
    }
    assert {pair: round(value, 2) for pair, value in borders.items() if value < 3} == {}

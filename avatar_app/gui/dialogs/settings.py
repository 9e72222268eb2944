"""The preferences: language, appearance, and keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from avatar_app.errors import ConfigError
from avatar_app.gui.background import Background
from avatar_app.gui.dialogs.folder_field import FolderField
from avatar_app.gui.dialogs.key_rows import KeyRows
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.settings import Settings
from avatar_app.gui.shortcuts import ACTIONS, action_text, clashes
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import ChoiceBox, fill, label, tip
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, by_portal, desktop_limit, parse
from avatar_app.text import Text

EVERYWHERE = {
    "recalibrate": QT_TRANSLATE_NOOP("Hotkeys", "Calibrate"),
    "pause": QT_TRANSLATE_NOOP("Hotkeys", "Pause and resume"),
    "next": QT_TRANSLATE_NOOP("Hotkeys", "Next avatar"),
    "previous": QT_TRANSLATE_NOOP("Hotkeys", "Previous avatar"),
    "express-smile": QT_TRANSLATE_NOOP("Hotkeys", "Smile"),
    "express-wink": QT_TRANSLATE_NOOP("Hotkeys", "Wink"),
    "express-surprise": QT_TRANSLATE_NOOP("Hotkeys", "Surprise"),
    "express-look": QT_TRANSLATE_NOOP("Hotkeys", "Look into the camera"),
    **{f"avatar-{number}": QT_TRANSLATE_NOOP("Hotkeys", "Avatar %1") for number in range(1, 10)},
}
"""Descriptions of the hotkeys."""


class SettingsDialog(QDialog):
    """Preferences; ``settings()`` is the result once accepted.

    Attributes:
        limit: what the desktop does not allow, or asks, about global shortcuts; hidden until that is known.
        switches: check boxes by the names of their fields in `Settings`.
    """

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Preferences"))
        self._settings = settings
        self.language, self.theme = ChoiceBox(self.tr("Language")), ChoiceBox(self.tr("Theme"))
        self.switches = {
            "start_at_login": QCheckBox(self.tr("Start when I log in")),
            "start_minimised": QCheckBox(self.tr("Start minimised")),
            "rest": QCheckBox(self.tr("Turn the camera off while nobody watches")),
            "tray": QCheckBox(self.tr("Icon in the system tray")),
            "ask_before_quit": QCheckBox(self.tr("Ask before quitting while others see the avatar")),
        }
        self.listen = QCheckBox(self.tr("Use these keys also while another window is in front"))
        self.switches["rest"].setToolTip(
            tip(
                self.tr(
                    "While this window is minimised and no call shows the avatar, the camera is off "
                    "and the app rests."
                )
            )
        )
        self.folder = FolderField(settings.save_folder)
        self.keys = KeyRows(
            {name: action_text(name) for name in ACTIONS},
            {name: a.keys for name, a in ACTIONS.items()},
            settings.keys,
        )
        self.hotkeys = KeyRows(
            {name: everywhere_text(name) for name in EVERYWHERE},
            {name: (key,) if (key := DEFAULT_HOTKEYS.get(name)) else () for name in EVERYWHERE},
            settings.hotkeys,
            everywhere=True,
        )
        self.keys_problem, self.hotkeys_problem = (
            label("", "problem", wrap=True),
            label("", "problem", wrap=True),
        )
        self.limit = label("", "problem", wrap=True)
        self._fill()
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.tabBar().setDrawBase(False)
        tabs.addTab(self._general(), self.tr("General"))
        tabs.addTab(self._keys(), self.tr("Shortcuts"))
        tabs.addTab(self._hotkeys(), self.tr("Global shortcuts"))
        self.tabs = tabs
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.save = self.buttons.addButton(self.tr("Save"), QDialogButtonBox.ButtonRole.AcceptRole)
        restyle(self.save, role="primary")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        fill(QVBoxLayout(self), (tabs, 1), self.buttons, margins=16, spacing=14)
        for rows in (self.keys, self.hotkeys):
            rows.changed.connect(self.check)
        self.listen.toggled.connect(self.check)
        self.check()

    def settings(self) -> Settings:
        """Return the settings with the choices made here; others are unchanged."""
        switches: dict[str, Any] = {name: switch.isChecked() for name, switch in self.switches.items()}
        return replace(
            self._settings,
            **switches,
            language=self.language.currentData(),
            theme=self.theme.currentData(),
            save_folder=self.folder.path,
            global_hotkeys=self.listen.isChecked(),
            keys={**_unknown(self._settings.keys, ACTIONS), **self.keys.chosen},
            hotkeys={**_unknown(self._settings.hotkeys, EVERYWHERE), **self.hotkeys.chosen},
        )

    def check(self) -> None:
        """Show what is wrong with the keys; impossible ones cannot be saved."""
        same = clashes(self.keys.chosen)
        lines = [
            self.tr("{key} is the key of more than one action: {actions}.").format(
                key=_shown(key),
                actions=", ".join(self.tr("“{name}”").format(name=action_text(name)) for name in names),
            )
            for key, names in same.items()
        ]
        self.keys.mark({name for names in same.values() for name in names})
        _put(self.keys_problem, lines)
        wrong, lines = self._wrong_hotkeys()
        self.hotkeys.mark(wrong)
        _put(self.hotkeys_problem, lines)
        self.save.setEnabled(not same and not wrong)
        self.tabs.setTabText(1, self.tr("Shortcuts") + (" ⚠" if same else ""))
        self.tabs.setTabText(2, self.tr("Global shortcuts") + (" ⚠" if wrong else ""))

    def _wrong_hotkeys(self) -> tuple[set[str], list[str]]:
        """Return impossible hotkeys, and why."""
        keys = {
            name: key
            for name, key in {**DEFAULT_HOTKEYS, **self.hotkeys.chosen}.items()
            if key and name in EVERYWHERE
        }
        wrong: set[str] = set()
        lines = []
        read: dict[str, str] = {}
        for name, key in keys.items():
            try:
                combination = str(parse(key))
            except ConfigError:
                text = self.tr(
                    "{key} cannot be a global shortcut. Use a letter, a digit or a named key with Ctrl, Alt "
                    "or Meta."
                )
                lines.append(text.format(key=_shown(key)))
                wrong.add(name)
                continue
            other = read.setdefault(combination, name)
            if other != name:
                text = self.tr("{key} is the shortcut of both “{one}” and “{other}”.")
                one, two = (everywhere_text(action) for action in (other, name))
                lines.append(text.format(key=_shown(key), one=one, other=two))
                wrong |= {other, name}
        return wrong, lines

    def _fill(self) -> None:
        for text, value in ((self.tr("Same as system"), ""), ("English", "en"), ("Русский", "ru")):
            self.language.add(text, value)
        for text, value in (
            (self.tr("Same as system"), "system"),
            (self.tr("Light"), "light"),
            (self.tr("Dark"), "dark"),
        ):
            self.theme.add(text, value)
        self.language.show_value(self._settings.language)
        self.theme.show_value(self._settings.theme)
        for name, switch in self.switches.items():
            switch.setChecked(getattr(self._settings, name))
        self.listen.setChecked(self._settings.global_hotkeys)

    def _general(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(16, 18, 16, 16)
        form.setVerticalSpacing(14)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for choice in (self.language, self.theme):
            choice.setMinimumWidth(240)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setHorizontalSpacing(16)
        form.addRow(self.tr("Language"), self.language)
        form.addRow(self.tr("Theme"), self.theme)
        form.addRow(self.tr("Save to"), self.folder)
        for field in (self.language, self.theme, self.folder):
            form.labelForField(field).setMinimumHeight(field.sizeHint().height())  # centred beside it
        for switch in self.switches.values():
            form.addRow("", switch)
        return page

    def _keys(self) -> QWidget:
        note = label(
            self.tr("Click a field and press the new key. These keys work while this window is in front."),
            "muted",
            wrap=True,
        )
        return _page(note, self.keys, self.keys_problem, self.tr("Reset all shortcuts"))

    def _hotkeys(self) -> QWidget:
        text = self.tr(
            "These keys work while the call is in front. Where the desktop allows none, "
            "set keys in the desktop's own settings for commands such as “control recalibrate”."
        )
        top = QWidget()
        column = fill(QVBoxLayout(top), label(text, "muted", wrap=True), self.limit, margins=0, spacing=12)
        self.limit.hide()
        # The desktop may take seconds to answer.
        Background(self).run(lambda: (desktop_limit(), by_portal()), self._tell_limit, lambda _: None)
        column.addWidget(self.listen)
        return _page(top, self.hotkeys, self.hotkeys_problem, self.tr("Reset all shortcuts"))

    def _tell_limit(self, known: tuple[Text, bool]) -> None:
        limit, portal = known
        if portal:
            restyle(self.limit, role="muted")
            asks = self.tr("Your desktop may ask you to confirm these keys; its settings can change them.")
            _put(self.limit, [asks])
        elif limit:
            _put(self.limit, [in_user_language(limit)])

    def sizeHint(self) -> QSize:
        return QSize(560, 620)


def everywhere_text(name: str) -> str:
    """Return a global shortcut's description, or the name of one from a newer version."""
    return _say("Hotkeys", str(EVERYWHERE.get(name, name))).replace("%1", name.removeprefix("avatar-"))


def _page(note: QWidget, rows: KeyRows, problem: QWidget, again: str) -> QWidget:
    page = QWidget()
    column = fill(QVBoxLayout(page), margins=(16, 16, 16, 12), spacing=12)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    rows.setProperty("role", "scrolled")
    scroll.setWidget(rows)
    reset = QPushButton(again)
    reset.setAutoDefault(False)
    reset.clicked.connect(rows.reset_all)
    column.addWidget(note)
    column.addWidget(scroll, 1)
    column.addWidget(problem)
    column.addWidget(reset, 0, Qt.AlignmentFlag.AlignLeft)
    return page


def _put(problem: QLabel, lines: list[str]) -> None:
    problem.setText("\n".join(lines))
    problem.setVisible(bool(lines))


def _shown(key: str) -> str:
    return QKeySequence.fromString(key).toString(QKeySequence.SequenceFormat.NativeText) or key


def _unknown(chosen: dict[str, str], known: Iterable[str]) -> dict[str, str]:
    """Return what a newer version has stored about actions of its own."""
    names = set(known)
    return {name: key for name, key in chosen.items() if name not in names}


def _say(context: str, text: str) -> str:
    return QCoreApplication.translate(context, text)

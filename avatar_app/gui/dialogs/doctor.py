"""Show the results of ``doctor`` in a dialog, row by row as the checks are done."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.style.icons import pixmap
from avatar_app.gui.style.theme import current
from avatar_app.gui.style.widgets import STRETCH, fill, label, tip
from avatar_app.text import join

if TYPE_CHECKING:
    from avatar_app.doctor.checks import Check

Checks = Callable[[], Iterator["Check"]]

MARK = 20
"""Side of a row's mark, in pixels."""


class DoctorDialog(QDialog):
    """Runs the checks in a thread; closing it drops the rest.

    Args:
        model, device: those of the session.
        look: the checks; None: the real ones.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        model: str = "lite",
        device: str = "auto",
        look: Checks | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Check this computer"))
        self.resize(680, 640)
        self.found: list[Check] = []
        self._look = look or (lambda: _real_checks(model, device))
        self._background = Background(self)
        self.summary = label("", "title", wrap=True)
        self._rows = fill(QVBoxLayout(), margins=(0, 0, 8, 0), spacing=8)
        rows = QWidget()
        rows.setProperty("role", "scrolled")
        fill(QVBoxLayout(rows), self._rows, STRETCH, margins=0)
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setWidget(rows)
        fill(QVBoxLayout(self), self.summary, (scrolled, 1), self._buttons(), margins=18, spacing=12)
        self.check()

    def _buttons(self) -> QHBoxLayout:
        self.copy = QPushButton(self.tr("Copy as text"))
        self.copy.clicked.connect(self._copy)
        self.again = QPushButton(self.tr("Check again"))
        self.again.clicked.connect(self.check)
        close = QPushButton(self.tr("Close"))
        close.setDefault(True)
        close.clicked.connect(self.accept)
        return fill(QHBoxLayout(), self.copy, self.again, STRETCH, close)

    def check(self) -> None:
        """Start over."""
        self.found = []
        while (item := self._rows.takeAt(0)) is not None:
            if row := item.widget():
                row.deleteLater()
        self.again.setEnabled(False)
        self.copy.setEnabled(False)
        self.summary.setText(self.tr("Looking at this computer..."))
        self._background.run(self._look, self._next, self._failed)

    def _next(self, checks: Iterator[Check]) -> None:
        self._background.run(lambda: next(checks, None), lambda check: self._add(check, checks), self._failed)

    def _add(self, check: Check | None, checks: Iterator[Check]) -> None:
        if check is None:
            self._finish()
            return
        self.found.append(check)
        self._rows.addWidget(self._row(check))
        self._next(checks)

    def _row(self, check: Check) -> QFrame:
        theme = current(self)
        icon, colour, state = {
            "ok": ("good", theme.good, self.tr("OK")),
            "note": ("warning", theme.warning, self.tr("Note")),
            "problem": ("error", theme.bad, self.tr("Problem")),
        }[check.state]
        row = QFrame()
        row.setProperty("role", "panel")
        mark = label()
        ratio = self.devicePixelRatioF()
        mark.setPixmap(pixmap(icon, colour, round(MARK * ratio), ratio))
        mark.setToolTip(tip(state))
        mark.setAccessibleName(state)
        grid = QGridLayout(row)
        grid.setContentsMargins(12, 10, 12, 10)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(label(in_user_language(check.name), "heading"), 0, 1)
        grid.addWidget(_selectable(label(in_user_language(check.found), "muted", wrap=True)), 1, 1)
        if check.todo:
            grid.addWidget(_selectable(_with_commands(in_user_language(check.todo))), 2, 1)
        return row

    def _finish(self) -> None:
        from avatar_app.doctor.checks import would_work

        works = would_work(self.found)
        self.summary.setText(
            self.tr("A call would work.") if works else self.tr("A call would not work yet.")
        )
        self.again.setEnabled(True)
        self.copy.setEnabled(True)

    def _failed(self, error: AvatarError) -> None:
        self.summary.setText(in_user_language(join([error.message, error.hint])))
        self.again.setEnabled(True)

    def _copy(self) -> None:
        """Copy the results in English, for whoever helps."""
        from avatar_app.doctor.checks import as_text

        QGuiApplication.clipboard().setText("\n".join(as_text(check) for check in self.found) + "\n")


def _real_checks(model: str, device: str) -> Iterator[Check]:
    from avatar_app.doctor.checks import checks  # loads the engines' libraries, so it runs in the thread

    return checks(model, device)


def _with_commands(text: str) -> QLabel:
    """Format text between backticks as commands."""
    made = label("", wrap=True)
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setText(re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text)))
    return made


def _selectable(text: QLabel) -> QLabel:
    """Make text selectable, so that commands can be copied."""
    text.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return text

"""The order in which the program starts."""

from __future__ import annotations

from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.first_paint import after_first_paint


class Watched(QWidget):
    """Records when it is painted."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def paintEvent(self, event: QPaintEvent) -> None:
        self.order.append("paint")


def test_heavy_work_starts_after_the_first_paint_and_once(qtbot: QtBot) -> None:
    window = Watched()
    qtbot.addWidget(window)
    after_first_paint(window, lambda: window.order.append("work"))
    window.show()
    qtbot.waitUntil(lambda: "work" in window.order)
    assert window.order[0] == "paint"
    window.repaint()
    qtbot.wait(50)
    assert window.order.count("work") == 1


def test_a_window_that_is_never_painted_starts_too(qtbot: QtBot) -> None:
    window = Watched()
    qtbot.addWidget(window)
    with qtbot.waitCallback() as begun:
        after_first_paint(window, begun)
    assert window.order == []

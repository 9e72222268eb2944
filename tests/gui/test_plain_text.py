"""Names from outside are shown literally.

Qt would load what a file called ``<img src=...>.jpg`` refers to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.language import translations
from avatar_app.gui.panels.notices import NoticeBar
from avatar_app.gui.style.widgets import ChoiceBox, message_box, tip
from avatar_app.photos.library import Library
from avatar_app.session.controls import Notice
from avatar_app.text import Text
from avatar_app.types import Box

SOURCES = sorted(Path(translations.__file__).parent.rglob("*.py"))
HOSTILE = (
    "<img src='x.png'>",
    "<b>bold</b>",
    "a &lt;i&gt; b",
    "&amp;",
    "<!-- -->",
    "<?xml ?>",
    "x<table>\ny",
)


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """All calls of a function or method in the window's code, with their files."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and name == (
                getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            ):
                yield path, node


def is_ours(text: ast.expr) -> bool:
    """A constant, a translation of one without inserted values, or a text escaped by ``tip``."""
    if isinstance(text, ast.IfExp):
        return is_ours(text.body) and is_ours(text.orelse)
    if isinstance(text, ast.Call):
        return (getattr(text.func, "attr", None) or getattr(text.func, "id", "")) in ("tr", "tip")
    return isinstance(text, ast.Constant)


@pytest.mark.parametrize("name", ["setToolTip", "setWhatsThis"])
def test_tool_tips_are_ours_or_escaped(name: str) -> None:
    loose = [f"{path.name}:{call.lineno}" for path, call in calls(name) if not is_ours(call.args[0])]
    assert not loose, "wrap the text in widgets.tip"


@pytest.mark.parametrize("name", ["QLabel", "QMessageBox", "QErrorMessage", "QTextBrowser", "QToolTip"])
def test_labels_and_message_boxes_are_made_in_one_place(name: str) -> None:
    loose = [f"{path.name}:{call.lineno}" for path, call in calls(name) if path.name != "widgets.py"]
    assert not loose, "use widgets.label or widgets.message_box"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_tip_shows_the_text_itself(text: str, qtbot: QtBot) -> None:
    shown = QLabel(tip(text))
    qtbot.addWidget(shown)
    assert tip("plain: 3 > 2") == "plain: 3 > 2"
    assert not tip(text).startswith(text)
    assert "<img" not in tip(text) and "<b>" not in tip(text)


def not_plain(widget: QWidget, text: str) -> list[QLabel]:
    """The labels that show a text and might interpret it as rich text."""
    return [
        piece
        for piece in widget.findChildren(QLabel)
        if text in piece.text() and piece.textFormat() != Qt.TextFormat.PlainText
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_message_boxes_and_banners_are_plain(text: str, qtbot: QtBot) -> None:
    box = message_box(None, QMessageBox.Icon.Question, "title", text, text)
    qtbot.addWidget(box)
    box.show()
    assert not not_plain(box, text)
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.add(Notice("gallery", "warning", Text("{}", text), Text("{}", text)))
    assert not not_plain(bar, text)
    choice = ChoiceBox("name")
    qtbot.addWidget(choice)
    choice.add(text, 1, text)
    assert choice.itemData(0, Qt.ItemDataRole.ToolTipRole) == tip(text)


@pytest.mark.parametrize("readable", [True, False])
def test_the_tip_of_a_photo_with_such_a_name(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    monkeypatch.setattr(FaceFit, "face", lambda *_: (0, Box(40, 40, 60)))
    photo = tmp_path / "<img src=%2Fdev%2Fzero>.png"
    if readable:
        PIL.Image.fromarray(np.full((80, 80, 3), 90, np.uint8)).save(photo)
    else:
        photo.write_bytes(b"no picture")
    widget = Gallery(Library(tmp_path, tmp_path / "none"))
    qtbot.addWidget(widget)
    widget.show()
    index = widget._model.index(0)
    qtbot.waitUntil(lambda: index.data(Qt.ItemDataRole.DecorationRole) is not None)
    assert "<img" not in index.data(Qt.ItemDataRole.ToolTipRole)
    assert "img src" in index.data(Qt.ItemDataRole.ToolTipRole)
    widget.stop()

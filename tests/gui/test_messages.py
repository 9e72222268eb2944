"""Sentences of the other parts are known again, with their values, and none is listed that nobody says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

import avatar_app
from avatar_app.errors import PortraitError
from avatar_app.gui.messages import MESSAGES, in_user_language
from avatar_app.gui.translations import install
from avatar_app.library import Library
from avatar_app.portrait import read_portrait

FEWEST = 8
"""Fixed letters that make a sentence one that can be known again."""
PACKAGE = Path(avatar_app.__file__).parent


@pytest.fixture
def russian(qapp: QCoreApplication) -> Iterator[None]:
    install(qapp, "ru")
    yield
    install(qapp, "en")


@pytest.mark.usefixtures("qapp")
def test_english_stays_as_it_is() -> None:
    assert in_user_language("The camera Integrated was unplugged.") == "The camera Integrated was unplugged."


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("Connect it again.", "Подключите её снова."),
        ("The camera HD Cam (2): x.y was unplugged.", "Камеру HD Cam (2): x.y отключили."),
        ("There are 3 faces in /a b/c.jpg; one of them was taken.", "На фото /a b/c.jpg лиц: 3; взято одно из них."),  # noqa: RUF001
        ("There is no photo /a/b.jpg.", "Нет фото /a/b.jpg."),
        ("There is no virtual camera on this computer.", "На этом компьютере нет виртуальной камеры."),  # noqa: RUF001
        ("Nobody has ever said this.", "Nobody has ever said this."),
        ("", ""),
    ],
)
def test_known_sentences_are_translated_with_their_values(english: str, translated: str) -> None:
    assert in_user_language(english) == translated


@pytest.mark.usefixtures("russian")
def test_real_errors_are_known(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    library = Library(tmp_path / "user", tmp_path / "none")
    failing: list[Callable[[], object]] = [
        lambda: read_portrait(tmp_path / "text.jpg"),
        lambda: read_portrait(tmp_path / "empty.jpg"),
        lambda: read_portrait(tmp_path / "missing.jpg"),
        lambda: read_portrait(tmp_path),
        lambda: library.add_bytes(b"no photo"),
        lambda: library.add_bytes(b""),
    ]
    for fail in failing:
        with pytest.raises(PortraitError) as caught:
            fail()
        for text in (caught.value.message, caught.value.hint):
            assert re.search("[а-я]{3}", in_user_language(text)), text  # noqa: RUF001
        if str(tmp_path) in caught.value.message:
            assert str(tmp_path) in in_user_language(caught.value.message)


def said() -> Iterator[str]:
    """All texts of the package as patterns, where a value may be anything; without the list itself."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "messages.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith("."):
                    yield re.escape(node.value)
                elif isinstance(node, ast.JoinedStr):
                    fixed = [str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values]
                    if len("".join(fixed)) >= FEWEST and fixed[-1].endswith("."):
                        yield "".join(re.escape(text) or ".+" for text in fixed)


def test_every_listed_sentence_is_said_somewhere() -> None:
    known = re.compile("|".join(set(said())))
    changed_by_the_library = {"The picture is damaged or cut short: {0}.", "The picture is empty (0 bytes)."}
    changed_by_the_library |= {"What was pasted is not a picture that can be read.", "The picture has only {0} pixels."}
    assert not {str(message) for message in MESSAGES if not known.fullmatch(str(message))} - changed_by_the_library

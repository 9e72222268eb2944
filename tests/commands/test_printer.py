"""Text from outside is only displayed.

No terminal escape gets through, whatever its source.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_app import cli
from avatar_app.commands import printer
from avatar_app.commands.printer import printable, say

ESCAPES = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\b\b\b", "\r", "\x00", "\u202etxt.exe", "\x7f"]


@pytest.mark.parametrize("escape", ESCAPES)
def test_escapes_are_shown_as_question_marks(escape: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"a{escape}b")
    say(f"a{escape}b", error=True)
    for said in capsys.readouterr():
        assert said.startswith("a?") and said.endswith("b\n")
        assert not set(escape) & set("\x1b\x9b\x07\b\r\x00\x7f\u202e") & set(said)


@given(text=st.text())
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(before == after for before, after in zip(text, shown, strict=True) if before.isprintable())
    assert printable(shown) == shown


def test_lines_and_letters_of_all_languages_stay() -> None:
    text = "Фото 照片 👩‍👩‍👧 é\nsecond line"
    assert printable(text) == text


@pytest.mark.parametrize("escape", ESCAPES[:3])
def test_an_error_about_a_hostile_name(
    escape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--avatar", str(tmp_path / f"x{escape}.jpg"), "--driving", "a.mp4", "--output", "b.mp4"]
    assert cli.main(["animate", *arguments]) == cli.USER_ERROR
    said = capsys.readouterr().err
    assert said.startswith("error: ") and escape not in said and said.count("\n") == 1


def test_commands_print_in_one_place() -> None:
    """A ``print`` elsewhere would let escapes through."""
    folder = Path(printer.__file__).parent
    for path in (Path(cli.__file__), *folder.glob("*.py")):
        names = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        if path.name not in ("printer.py", "doctor.py"):
            assert "print" not in names, path

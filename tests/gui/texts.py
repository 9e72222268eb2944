"""Collect the texts that the window shows from the source, and update the translation files.

``python -m tests.gui.texts`` updates ``avatar_ru.ts`` with an unfinished entry for each new text,
and compiles it. Obsolete entries are removed.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from avatar_app.gui.language.messages import CONTEXT
from avatar_app.gui.language.translations import FOLDER, LANGUAGES
from avatar_app.paths import PACKAGE

Key = tuple[str, str]
"""Context and text."""
GUI = PACKAGE / "gui"
COMMAND_LINE = ("cli.py", "commands/", "extras.py", "evaluation/", "networks/", "onnx_export/", "training/")
"""Modules that write only to a terminal, which is English: importing, training and measuring models."""


def used_texts() -> set[Key]:
    """All texts to translate."""
    return {*window_texts(), *((CONTEXT, template) for template in templates())}


def window_texts() -> set[Key]:
    """The window's own texts."""
    return {key for path in sorted(GUI.rglob("*.py")) for key in _texts(_parsed(path), "")}


def templates() -> set[str]:
    """The templates of messages that reach the window."""
    return {
        template
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(COMMAND_LINE)
        for template in templates_in(_parsed(path))
        if any(map(str.isalpha, template.replace("{}", "")))
    }


def templates_in(tree: ast.AST) -> Iterator[str]:
    """The first argument of each ``Text(...)`` if it is a literal."""
    for call in calls_of_text(tree):
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def calls_of_text(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text":
            yield node


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _texts(node: ast.AST, name: str) -> Iterator[Key]:
    if isinstance(node, ast.ClassDef):
        name = node.name
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [
            argument.value
            for argument in node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if called == "tr" and texts:
            yield name, texts[0]
        elif called in ("translate", "QT_TRANSLATE_NOOP") and len(texts) >= 2:
            yield texts[0], texts[1]
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, name)


def update(language: str) -> None:
    """Add new texts to the translations of a language, remove old ones, and compile."""
    tools, target = Path(sys.executable).parent, FOLDER / f"avatar_{language}.ts"
    sources = sorted(GUI.rglob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "messages.py"  # in the format of lupdate
        lines = [f"QT_TRANSLATE_NOOP({CONTEXT!r}, {template!r})\n" for template in sorted(templates())]
        listed.write_text("".join(lines), encoding="utf-8")
        command = [tools / "pyside6-lupdate", "-locations", "none", "-no-obsolete", *sources, listed]
        subprocess.run([*map(str, command), "-ts", str(target)], check=True)
    subprocess.run([str(tools / "pyside6-lrelease"), str(target)], check=True)


if __name__ == "__main__":
    for each in LANGUAGES:
        if each != "en":
            update(each)

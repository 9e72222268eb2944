"""Files, classes and functions are small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from avatar_app.paths import PACKAGE

FILE, CLASS, P90 = 400, 250, 20
"""Maximum lines of a file and of a class; the 90th percentile of functions' lines."""

ATTRIBUTES, PARAMETERS = 15, 8

FIRST_LINE = 80
"""Maximum length of a docstring's first line."""


def trees() -> Iterator[tuple[str, ast.Module, int]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(text), text.count("\n")


def length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return length(node) - ((first.end_lineno or first.lineno) - first.lineno + 1 if text else 0)


def attributes(node: ast.ClassDef) -> set[str]:
    """Names assigned to ``self`` in methods."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
    }


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of parameters that a caller can pass, without ``self``."""
    arguments = node.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def beyond() -> Iterator[str]:
    for name, tree, lines in trees():
        if lines > FILE:
            yield f"{name}: lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                if length(node) > CLASS:
                    yield f"{name}: {node.name} lines"
                if len(attributes(node)) > ATTRIBUTES:
                    yield f"{name}: {node.name} attributes"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > PARAMETERS:
                yield f"{name}: {node.name} parameters"


def test_files_classes_and_functions_stay_within_their_limits() -> None:
    assert sorted(beyond()) == []


def test_a_docstring_begins_with_one_short_line() -> None:
    found = {
        f"{name}:{getattr(node, 'name', '')}: {text}"
        for name, tree, _ in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (text := (ast.get_docstring(node) or "").partition("\n\n")[0])
        and (len(text) > FIRST_LINE or "\n" in text)
    }
    assert sorted(found) == []


def test_most_functions_fit_on_a_screen() -> None:
    lengths = [
        code_lines(node)
        for _, tree, _ in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert np.percentile(lengths, 90) <= P90

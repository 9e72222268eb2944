"""Landmarks are named in one file.

Elsewhere, a reader would have to look up bare numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avatar_app import landmarks
from avatar_app.paths import PACKAGE

ABOUT_FACES = (
    "faces",
    "motion",
    "compositing",
    "networks/anchored",
    "networks/faces.py",
    "networks/painters.py",
    "networks/regions.py",
    "evaluation",
    "gui/panels/overlays.py",
    "training",
)
SEQUENCES = ("range", "slice", "arange")
FIRST, LAST = 17, 87
"""Smaller numbers are too common; code that uses the jaw also writes ``JAW``."""


def files() -> Iterator[Path]:
    for place in ABOUT_FACES:
        path = PACKAGE / place
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def numbers(nodes: list[ast.AST]) -> list[int]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and type(node.value) is int]


def direct(node: ast.AST) -> list[ast.AST]:
    """The parts of an index or of a list of arguments, including bounds of slices, without nested
    expressions.
    """
    parts = list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]
    return [
        bound
        for part in parts
        for bound in ([part.lower, part.upper] if isinstance(part, ast.Slice) else [part])
        if bound
    ]


def bare(tree: ast.AST) -> Iterator[tuple[int, list[int]]]:
    """Lines with numbers that index, limit a range, or form a list, as landmarks do."""
    for node in ast.walk(tree):
        found: list[int] = []
        if isinstance(node, ast.Subscript):
            found = numbers(direct(node.slice))
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) in SEQUENCES
        ):
            found = numbers(list(node.args))
        elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1:
            found = numbers(list(node.elts))
            alike = len(found) == len(node.elts) and max(found) <= LAST
            found = found if alike and any(number % 4 for number in found if number >= FIRST) else []
        chosen = [number for number in found if FIRST <= number <= LAST]
        if chosen:
            assert isinstance(node, ast.expr)
            yield node.lineno, chosen


def test_no_file_names_a_landmark_by_its_number() -> None:
    wrong = []
    for path in files():
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        name = path.relative_to(PACKAGE).as_posix()
        wrong += [
            f"{name}:{line}: {lines[line - 1].strip()}"
            for line, _ in bare(ast.parse(text))
            if "not landmarks" not in lines[line - 1]
        ]
    assert wrong == []


def test_a_bare_number_would_be_found() -> None:
    for text in ("points[:, 36]", "range(48, 68)", "LIPS = (61, 67)", "a[27:31]"):
        assert list(bare(ast.parse(text))), text


def test_mirroring_twice_gives_every_landmark_back() -> None:
    order = np.array(landmarks.MIRRORED)
    np.testing.assert_array_equal(order[order], np.arange(landmarks.COUNT))
    assert order[landmarks.RIGHT_EYE_OUTER] == landmarks.LEFT_EYE_OUTER
    assert order[landmarks.RIGHT_PUPIL] == landmarks.LEFT_PUPIL


def test_groups_follow_each_other_without_a_gap() -> None:
    groups = (
        landmarks.JAW,
        landmarks.BROWS,
        landmarks.NOSE,
        landmarks.EYES,
        landmarks.LIPS,
        landmarks.IRISES,
        landmarks.UPPER_OVAL,
    )
    assert landmarks.indices(*groups) == tuple(range(landmarks.COUNT))

"""No camera frame can be transmitted.

The code that talks to other computers does not even import the type.
"""

from __future__ import annotations

import ast
from pathlib import Path

import avatar_app

PACKAGE = Path(avatar_app.__file__).parent
SPEAKERS = [*sorted((PACKAGE / "remote").glob("*.py")), PACKAGE / "engines" / "remote_engine.py"]


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    return imported | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_nothing_that_speaks_to_another_computer_knows_frames() -> None:
    assert len(SPEAKERS) > 7
    for path in SPEAKERS:
        assert not names_in(path) & {"Frame", "read_clip", "VideoCapture"}, path

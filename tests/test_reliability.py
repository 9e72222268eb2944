"""Every row of the fault matrix names tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "reliability.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    """The rows of all fault tables, without headers."""
    lines = TABLE.read_text(encoding="utf-8").partition("## Cost of large frames")[0].splitlines()
    return [line for line in lines if line.startswith("|") and not line.startswith(("| Fault", "|---"))]


def test_every_fault_has_a_test() -> None:
    assert len(rows()) > 40
    assert not [row for row in rows() if not NAMED.search(row)]


def test_the_named_tests_exist() -> None:
    for path, name in set(NAMED.findall(TABLE.read_text(encoding="utf-8"))):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
            f"{path}::{name}"
        )

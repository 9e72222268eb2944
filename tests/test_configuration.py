"""Values from files are checked against the types of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from avatar_app.configuration import between, build, checked, one_of
from avatar_app.errors import ConfigError


@dataclass(frozen=True)
class Part:
    size: int
    share: float = 0.5


@dataclass(frozen=True)
class Whole:
    part: Part
    parts: tuple[Part, ...] = ()
    scales: tuple[float, ...] = (1.0,)
    kind: Annotated[str, one_of("a", "b")] = "a"
    on: bool = False


def test_nested_dataclasses_are_built() -> None:
    values = {"part": {"size": 3.0}, "parts": [{"size": 1, "share": 1}], "scales": [1, 0.5], "kind": "b"}
    assert build(Whole, values, "file") == Whole(Part(3), (Part(1, 1.0),), (1.0, 0.5), "b")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, r"lacks the key file\.part"),
        ([], "lacks the section file"),
        ({"part": 3}, r"lacks the section file\.part"),
        ({"part": {"size": 1}, "parts": [{"siez": 1}]}, r"'siez': file\.parts\[0\]\.siez"),
        ({"part": {"size": "x"}}, r"file\.part\.size is 'x', but it must be a whole number"),
        ({"part": {"size": True}}, "a whole number"),
        ({"part": {"size": 1.5}}, "a whole number"),
        ({"part": {"size": 10**400}}, "too large"),
        ({"part": {"size": 1, "share": float("nan")}}, "too large"),
        ({"part": {"size": 1}, "on": 1}, "true or false"),
        ({"part": {"size": 1}, "kind": "c"}, "one of a, b"),
        ({"part": {"size": 1}, "scales": 1}, "scales"),
    ],
)
def test_a_wrong_value_is_named(values: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        build(Whole, values, "file")
    assert caught.value.hint


def test_limits_are_said() -> None:
    share = Annotated[float, between(0, 1.5)]
    assert checked(1, share) == 1.0
    for wrong in (2, "1", True, float("nan")):
        with pytest.raises(ValueError, match=r"a number from 0 to 1\.5"):
            checked(wrong, share)

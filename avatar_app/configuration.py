"""Check values from files against the types of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from avatar_app.errors import ConfigError
from avatar_app.text import Text

T = TypeVar("T")

LARGEST = 10**9
"""Upper limit of numbers in configurations."""

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}

COMPARE = Text("Compare it with the ones in avatar_app/training/configs.")


class Choices(tuple[Any, ...]):
    """The only valid values, for ``Annotated``."""


def one_of(*choices: Any) -> Choices:
    return Choices(choices)


def between(low: float, high: float) -> msgspec.Meta:
    """Limits of a number, for ``Annotated``."""
    return msgspec.Meta(ge=low, le=high)


def matching(pattern: str, words: str) -> msgspec.Meta:
    """A pattern for a whole text, and its description, for ``Annotated``."""
    return msgspec.Meta(pattern=f"^(?:{pattern})$", description=words)


def described_as(words: str) -> msgspec.Meta:
    """A description that the type does not give, for ``Annotated``."""
    return msgspec.Meta(description=words)


def checked(value: Any, kind: Any) -> Any:
    """Check a plain value against a type hint that msgspec knows.

    ``Meta`` and ``Choices`` in the hint set limits. Raises ValueError, which says what would be valid.
    """
    choices = next((limit for limit in _limits(kind) if isinstance(limit, Choices)), None)
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise ValueError(_described(kind)) from None
    if choices is not None and found not in choices:
        raise ValueError(_described(kind))
    return found


def _limits(kind: Any) -> tuple[Any, ...]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def _described(kind: Any) -> str:
    """Describe what is valid for a type hint."""
    plain = get_args(kind)[0] if _limits(kind) else kind
    words = WORDS.get(plain) or f"a value like {str(plain).replace('typing.', '')}"
    for limit in _limits(kind):
        if isinstance(limit, Choices):
            return "one of " + ", ".join(_shown(choice) for choice in limit)
        if limit.description:
            return str(limit.description)
        return f"{words} from {limit.ge:g} to {limit.le:g}"
    return words


def _shown(choice: Any) -> str:
    return str(list(choice)) if isinstance(choice, tuple) else str(choice) or '""'


def build(kind: type[T], values: Any, where: str) -> T:
    """Build a dataclass from plain values, nested ones included.

    A misspelt key must not silently become its default, so every key must be known.

    Args:
        where: dotted name of this part of the file, for messages.

    Raises:
        ConfigError: unknown, missing or mistyped key, which it names.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(Text("The configuration lacks the section {}.", where), COMPARE)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise ConfigError(
                Text("The configuration has an unknown key {}: {}.", repr(name), f"{where}.{name}"),
                Text("Known here: {}.", ", ".join(sorted(known))),
            )
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(Text("The configuration lacks the key {}.{}.", where, name), COMPARE)
    hints = get_type_hints(kind, include_extras=True)
    return kind(**{name: _field(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def _field(hint: Any, value: Any, where: str) -> Any:
    """Check the value of one field; raise ConfigError."""
    if isinstance(hint, type) and is_dataclass(hint):
        return build(hint, value, where)
    parts = get_args(hint)
    if get_origin(hint) is tuple and is_dataclass(parts[0]) and isinstance(value, list):
        return tuple(_field(parts[0], part, f"{where}[{index}]") for index, part in enumerate(value))
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise ConfigError(
            Text("The configuration key {} is {}, which is too large.", where, repr(value)[:20]), COMPARE
        )
    if hint is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return checked(value, hint)
    except ValueError as right:
        raise ConfigError(
            Text("The configuration key {} is {}, but it must be {}.", where, repr(value), right), COMPARE
        ) from None


def flattened(document: Any) -> dict[str, Any]:
    """Merge ``common_params`` into the other sections of an original YAML document.

    Raises ConfigError if these are missing.
    """
    model = document.get("model_params") if isinstance(document, Mapping) else None
    common = model.get("common_params") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not isinstance(common, Mapping):
        raise ConfigError(Text("The configuration lacks the section model_params.common_params."), COMPARE)
    return {**common, **{name: value for name, value in model.items() if name != "common_params"}}

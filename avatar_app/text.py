"""Texts for the user, which the window can show in other languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, Self


class Text(str):
    """An English text that remembers its template and values; otherwise a ``str``.

    Every message for the user is one. The window translates the template and then inserts the values.

    Attributes:
        template: the text with ``{}`` for each value, as in ``str.format``. It is a literal in the code, so
            that the tests find it and require its translation.
        values: one for each ``{}``, in this order. A ``Text`` among them is translated too.
    """

    template: str
    values: tuple[str | Real, ...]

    def __new__(cls, template: str, *values: object) -> Self:
        kept = tuple(value if isinstance(value, str | Real) else str(value) for value in values)
        made = super().__new__(cls, template.format(*kept))
        made.template, made.values = template, kept
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str | Real, ...]]:
        return type(self), (self.template, *self.values)

    def translated(self, look_up: Callable[[str], str]) -> str:
        """Return the text in another language.

        Args:
            look_up: returns a template's translation, which may number the values: ``{1}: {0}``.
        """
        words = self.template.replace("{}", "")
        template = look_up(self.template) if any(map(str.isalpha, words)) else self.template
        values = (value.translated(look_up) if isinstance(value, Text) else value for value in self.values)
        return template.format(*values)


NOTHING = Text("")


def join(texts: Iterable[str], between: str = " ") -> Text:
    """Join texts that are not empty into one; each keeps its template and values."""
    parts = [text for text in texts if text]
    return Text(between.join(["{}"] * len(parts)), *parts)


def parts_of(text: Text) -> tuple[Text, ...]:
    """Return the texts that ``join`` has joined; any other text is its only part."""
    parts = tuple(value for value in text.values if isinstance(value, Text))
    joined = parts and not any(map(str.isalpha, text.template)) and len(parts) == len(text.values)
    return parts if joined else (text,)


def to_plain(text: object) -> Any:
    """Convert a text to lists, strings and numbers, for another process."""
    return [text.template, *map(to_plain, text.values)] if isinstance(text, Text) else text


def from_plain(plain: Any) -> Any:
    """Restore a text from `to_plain`."""
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        return plain
    template, *values = plain
    return Text(template, *map(from_plain, values))

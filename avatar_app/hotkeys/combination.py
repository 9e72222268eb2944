"""Key combinations as people write them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from avatar_app.errors import ConfigError
from avatar_app.paths import program
from avatar_app.text import Text, join

MODIFIERS = ("Ctrl", "Alt", "Shift", "Meta")
"""In the order in which they are written. Meta is the Windows key, Command on macOS."""

NAMED_KEYS = {
    "Left": "Left",
    "Right": "Right",
    "Up": "Up",
    "Down": "Down",
    "Home": "Home",
    "End": "End",
    "PgUp": "Prior",
    "PgDown": "Next",
    "Ins": "Insert",
    "Del": "Delete",
    "Space": "space",
    "Tab": "Tab",
    "Return": "Return",
    "Backspace": "BackSpace",
    "Esc": "Escape",
} | {f"F{number}": f"F{number}" for number in range(1, 21)}
"""Qt's name of a key -> X11's."""

ALIASES = {
    "control": "Ctrl",
    "option": "Alt",
    "win": "Meta",
    "super": "Meta",
    "cmd": "Meta",
    "command": "Meta",
    "pageup": "PgUp",
    "pagedown": "PgDown",
    "insert": "Ins",
    "delete": "Del",
    "enter": "Return",
    "escape": "Esc",
}
ACTIONS = {
    "recalibrate": Text("recalibrate"),
    "pause": Text("pause"),
    "next": Text("next"),
    "previous": Text("previous"),
    "express-smile": Text("smile"),
    "express-wink": Text("wink"),
    "express-surprise": Text("surprise"),
    "express-look": Text("look into the camera"),
    **{f"avatar-{number}": Text("avatar {}", number) for number in range(1, 10)},
}
"""Actions of hotkeys, for people."""
CHARACTERS = string.ascii_uppercase + string.digits
BY_NAME = {name.lower(): name for name in (*MODIFIERS, *NAMED_KEYS, *CHARACTERS)} | ALIASES

INSTEAD = Text("Bind keys of your desktop to `{} control recalibrate`.", program())
"""Hint where global hotkeys are not available."""
PATIENCE = 2.0
"""Seconds within which the system must grant the keys."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Keys pressed together.

    Some of ``MODIFIERS`` in that order, and a letter, a digit or one of ``NAMED_KEYS``.
    """

    modifiers: tuple[str, ...]
    key: str

    def __str__(self) -> str:
        return "+".join((*self.modifiers, self.key))


def parse(text: str) -> Combination:
    """Parse ``Ctrl+Alt+X``, in any case. Raises ConfigError."""
    hint = Text("Write it like Ctrl+Alt+X or Ctrl+Shift+F5.")
    names = []
    for part in text.split("+"):
        name = BY_NAME.get(part.strip().lower())
        if name is None:
            raise ConfigError(
                Text("The hotkey {} has no key that is known as {}.", repr(text), repr(part.strip())), hint
            )
        names.append(name)
    keys = [name for name in names if name not in MODIFIERS]
    if len(keys) != 1 or names[-1] != keys[0] or len(set(names)) != len(names):
        raise ConfigError(
            Text("The hotkey {} is not some of {} and then one key.", repr(text), ", ".join(MODIFIERS)), hint
        )
    modifiers = tuple(name for name in MODIFIERS if name in names)
    if not set(modifiers) - {"Shift"} and not (keys[0].startswith("F") and len(keys[0]) > 1):
        raise ConfigError(
            Text("The hotkey {} would be pressed in ordinary typing.", repr(text)),
            Text("Add Ctrl, Alt or Meta to it."),
        )
    return Combination(modifiers, keys[0])


def refused(reasons: Mapping[Combination, Text], wanted: Mapping[Combination, str]) -> list[Text]:
    """Return one message about all refused combinations; empty if none is.

    Args:
        reasons: why each is refused.
        wanted: the action of each.
    """
    keys: dict[Text, list[Text]] = {}
    for combination, why in reasons.items():
        action = wanted[combination]
        keys.setdefault(why, []).append(Text("{} ({})", combination, ACTIONS.get(action, action)))
    found = [Text("Shortcuts not available ({}): {}.", why, join(names, ", ")) for why, names in keys.items()]
    return [join([join(found), Text("Choose others in the settings.")])] if found else []

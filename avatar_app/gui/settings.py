"""What the user chose, kept from one start to the next in one JSON file.

Reading is lenient: a wrong value never keeps the app from starting. What a newer version of the app wrote is
kept when saving.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from avatar_app.errors import OutputError
from avatar_app.files import parse_json, read_small, reason, set_aside, write_whole
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.photos.library import Entry, Library
from avatar_app.photos.lookup import photo_elsewhere
from avatar_app.session.controls import OUTPUTS, ROTATIONS, SIZES, Controls
from avatar_app.text import Text

VERSION = 1
LANGUAGES = ("", "en", "ru")
THEMES = ("system", "light", "dark")
CONTROLS = (
    "source",
    "model",
    "device",
    "relative",
    "adapt_scale",
    "head",
    "expression",
    "gaze",
    "smoothing",
    "follow",
    "zoom",
    "pan_x",
    "pan_y",
    "rotation",
    "mirror_input",
    "mirror_output",
    "background",
    "label",
    "output",
    "output_device",
    "size",
    "fps",
)
"""Fields that settings and controls share. Pausing, passing the camera through, calibrating and recording are
never remembered."""

Check = Callable[[Any], Any]
"""Takes a value from JSON and returns it as it is used. Raises ValueError saying what would be right."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return check


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return check


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError("one of " + ", ".join(choice or '""' for choice in choices))
        return value

    return check


def _size(value: Any) -> tuple[int, int]:
    if (
        not isinstance(value, list | tuple)
        or tuple(value) not in SIZES
        or not all(isinstance(side, int) for side in value)
    ):
        raise ValueError("one of " + ", ".join(f"[{width}, {height}]" for width, height in SIZES))
    return (value[0], value[1])


def _rotation(value: Any) -> int:
    if isinstance(value, bool) or value not in ROTATIONS:
        raise ValueError("one of " + ", ".join(map(str, ROTATIONS)))
    return int(value)


def _background(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value
        or (value.startswith("#") and not re.fullmatch("#[0-9a-fA-F]{6}", value))
    ):
        raise ValueError("photo, blur, a colour such as #203040, or the path of a picture")
    return value


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("an object with texts")
    return dict(value)


@dataclass(frozen=True, slots=True)
class Settings:
    """Fields with the names of ``Controls`` mean the same.

    Attributes:
        avatar: file name of a photo in the library, or the full path of another one.
        language: empty: the system's.
        keys: name of an action -> key in the window, where the user changed it.
        hotkeys: name of an action -> global key, where the user changed it; empty text: none.
        global_hotkeys: listen to global keys at all.
        limit_told: what this desktop never lets hotkeys do has been told once.
        mirror_preview: show the camera on this screen as a mirror does.
        show_landmarks, show_ghost, show_help_box, show_statistics: what is drawn over the previews on this
            screen.
        ghost_opacity: of the photo over the camera, 0..1.
        save_folder: where recordings and photos go; empty: the user's folders for videos and pictures.
        start_at_login, start_minimised: begin with the desktop's session; with the window out of the way.
        ask_before_quit: ask before the app ends while others see the avatar.
        window_geometry, window_state: as Qt packs them, base64.
        unknown: what was in the file under names that this version does not know.
    """

    source: str = ""
    avatar: str = ""
    model: str = "lite"
    device: str = "auto"
    output: str = "none"
    output_device: str = ""
    size: tuple[int, int] = (1280, 720)
    fps: int = 30
    background: str = "photo"
    label: bool = False
    relative: bool = True
    adapt_scale: bool = True
    head: float = 1.0
    expression: float = 1.0
    gaze: float = 1.0
    smoothing: str = "light"
    follow: bool = True
    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    rotation: int = 0
    mirror_input: bool = False
    mirror_output: bool = False
    mirror_preview: bool = True
    show_landmarks: bool = False
    show_ghost: bool = True
    ghost_opacity: float = 0.3
    show_help_box: bool = True
    show_statistics: bool = False
    theme: str = "system"
    language: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    hotkeys: dict[str, str] = field(default_factory=dict)
    global_hotkeys: bool = True
    limit_told: bool = False
    tray: bool = True
    first_run_done: bool = False
    save_folder: str = ""
    ask_before_quit: bool = True
    start_at_login: bool = False
    start_minimised: bool = False
    window_geometry: str = ""
    window_state: str = ""
    unknown: dict[str, Any] = field(default_factory=dict)


CHECKS: dict[str, Check] = {
    "output": _one_of(*OUTPUTS),
    "size": _size,
    "fps": _whole(1, 120),
    "background": _background,
    "rotation": _rotation,
    "head": _number(0, 1.5),
    "expression": _number(0, 1.5),
    "gaze": _number(0, 1.5),
    "smoothing": _one_of(*STRENGTHS),
    "zoom": _number(0.5, 2),
    "pan_x": _number(-1, 1),
    "pan_y": _number(-1, 1),
    "ghost_opacity": _number(0, 1),
    "theme": _one_of(*THEMES),
    "language": _one_of(*LANGUAGES),
}
"""Fields for which the type alone does not say what is right."""


def _check(name: str) -> Check:
    by_type: dict[type, Check] = {str: _text, bool: _switch, dict: _texts}
    return CHECKS.get(name) or by_type[type(getattr(Settings(), name))]


def to_controls(settings: Settings, avatar: Entry | None = None) -> Controls:
    """The controls to start with.

    ``avatar`` is the photo for ``settings.avatar``, as ``remembered_avatar`` finds it.
    """
    values = {name: getattr(settings, name) for name in CONTROLS}
    if avatar is None:
        return Controls(**values)
    return Controls(**values, avatar=avatar.path, avatar_box=avatar.box, avatar_turn=avatar.turn)


def from_controls(settings: Settings, controls: Controls, library: Library) -> Settings:
    """The settings with what the user chose in the controls."""
    values = {name: getattr(controls, name) for name in CONTROLS}
    avatar = settings.avatar if controls.avatar is None else _avatar_text(controls.avatar, library)
    return replace(settings, **values, avatar=avatar)


def _avatar_text(avatar: Path, library: Library) -> str:
    """A photo of the library by its name, since the app's folders may move.

    Any other by its full path.
    """
    entry = library.find(avatar.name)
    return avatar.name if entry is not None and entry.path == avatar else str(avatar.absolute())


def remembered_avatar(settings: Settings, library: Library) -> Entry | None:
    """The photo of last time; None where there was none or it is gone."""
    path = Path(settings.avatar)
    return library.find(settings.avatar) or (photo_elsewhere(path) if path.is_absolute() else None)


def load_settings(path: Path) -> tuple[Settings, list[Text]]:
    """Read the settings.

    What is missing or wrong gets its default, with one sentence about each wrong value.

    A file that makes no sense at all is kept beside it as ``settings.json.bad``.
    """
    try:
        content = parse_json(read_small(path))
    except FileNotFoundError:
        return Settings(), []
    except OSError as problem:
        kept = set_aside(path)
        why = reason(problem)
        return Settings(), [
            Text(
                "The settings {} cannot be read: {}; they are kept as {}, and the defaults are used.",
                path,
                why,
                kept,
            )
            if kept
            else Text("The settings {} cannot be read: {}; the defaults are used.", path, why)
        ]
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return Settings(), [_set_aside(path)]
    version = content.pop("version", VERSION)
    newer = isinstance(version, int | float) and version > VERSION
    known = [entry.name for entry in fields(Settings) if entry.name != "unknown"]
    values: dict[str, Any] = {
        "unknown": {name: value for name, value in content.items() if name not in known}
    }
    warnings = (
        []
        if newer
        else [
            Text("The setting {} in {} is not known; it is ignored.", _shown(name), path)
            for name in values["unknown"]
        ]
    )
    defaults = Settings()
    for name in content.keys() & known:
        try:
            values[name] = _check(name)(content[name])
        except ValueError as right:
            shown, used = _short(content[name]), _short(getattr(defaults, name))
            warnings.append(
                Text(
                    "The setting {} in {} is {}, but must be {}; {} is used.", name, path, shown, right, used
                )
            )
    if newer and isinstance(version, int):
        values["unknown"]["version"] = version
    return Settings(**values), sorted(warnings)


def save_settings(settings: Settings, path: Path) -> None:
    """Write the settings whole or not at all. Raises OutputError."""
    known = {
        entry.name: getattr(settings, entry.name) for entry in fields(Settings) if entry.name != "unknown"
    }
    content = {"version": VERSION, **settings.unknown, **known}
    try:
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as problem:
        hint = Text("Free some space, or check the folder's permissions.")
        raise OutputError(
            Text("The settings {} cannot be written: {}.", path, reason(problem)), hint
        ) from None


def _set_aside(path: Path) -> Text:
    if bad := set_aside(path):
        return Text(
            "The settings {} were damaged; they are kept as {}, and the defaults are used.", path, bad
        )
    return Text("The settings {} are damaged; the defaults are used.", path)


def _short(value: Any) -> str:
    return _shown(json.dumps(value, ensure_ascii=False))


def _shown(text: str) -> str:
    """A text from a file, on one line and not overlong, without what cannot be shown."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= 40 else plain[:37] + "..."

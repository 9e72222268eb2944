"""The user's settings, saved in one JSON file.

Reading is lenient: a wrong value never keeps the app from starting. Values written by a newer version of the
app are kept when saving.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from avatar_app.configuration import between, checked, described_as, one_of
from avatar_app.errors import OutputError
from avatar_app.files import parse_json, read_small, reason, set_aside, write_whole
from avatar_app.photos.library import Entry, Library
from avatar_app.photos.lookup import photo_elsewhere
from avatar_app.session.controls import KEPT, Controls
from avatar_app.text import Text

VERSION = 1
LANGUAGES = ("", "en", "ru")
THEMES = ("system", "light", "dark")

Keys = Annotated[dict[str, str], described_as("an object with texts")]


@dataclass(frozen=True, slots=True)
class Settings:
    """The saved settings: the controls, without momentary ones, and the window's own.

    In the file all are on one level.

    Attributes:
        controls: the last controls; those of ``FORGOTTEN`` always have their default.
        avatar: file name of a photo in the library, or the full path of another one.
        language: empty: the system's.
        keys: name of an action -> key in the window, if changed by the user.
        hotkeys: name of an action -> global key, if changed by the user; empty text: none.
        global_hotkeys: listen to global keys at all.
        hotkey_limit_shown: the limits of hotkeys on this desktop were shown once.
        mirror_preview: show the camera on this screen as a mirror does.
        show_landmarks, show_ghost, show_help_box, show_statistics: drawings over the previews on this screen.
        ghost_opacity: of the photo over the camera, 0..1.
        save_folder: for recordings and photos; empty: the user's folders for videos and pictures.
        rest: let the session rest while the window is out of sight and nobody watches the output.
        start_at_login, start_minimised: start with the desktop's session; start without showing the window.
        ask_before_quit: ask before the app ends while others see the avatar.
        window_geometry, window_state: as Qt packs them, base64.
        unknown: values in the file under names that this version does not know.
    """

    controls: Controls = field(default_factory=Controls)
    avatar: str = ""
    mirror_preview: bool = True
    show_landmarks: bool = False
    show_ghost: bool = True
    ghost_opacity: Annotated[float, between(0, 1)] = 0.3
    show_help_box: bool = True
    show_statistics: bool = False
    theme: Annotated[str, one_of(*THEMES)] = "system"
    language: Annotated[str, one_of(*LANGUAGES)] = ""
    keys: Keys = field(default_factory=dict)
    hotkeys: Keys = field(default_factory=dict)
    global_hotkeys: bool = True
    hotkey_limit_shown: bool = False
    tray: bool = True
    first_run_done: bool = False
    save_folder: str = ""
    ask_before_quit: bool = True
    start_at_login: bool = False
    start_minimised: bool = False
    rest: bool = True
    window_geometry: str = ""
    window_state: str = ""
    unknown: dict[str, Any] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """Return all saved values on one level, as in the file."""
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        controls = own.pop("controls")
        del own["unknown"]
        return {name: getattr(controls, name) for name in KEPT} | own

    def having(self, **changes: Any) -> Settings:
        """Return the settings with other values; names are those of the file."""
        controls = {name: changes.pop(name) for name in KEPT if name in changes}
        if controls:
            changes["controls"] = replace(self.controls, **controls)
        return replace(self, **changes)


def _kinds() -> dict[str, Any]:
    hints = {
        **get_type_hints(Controls, include_extras=True),
        **get_type_hints(Settings, include_extras=True),
    }
    return {name: hints[name] for name in Settings().flat()}


KINDS = _kinds()
"""Type of each value, by its name in the file."""

RENAMED = {"limit_told": "hotkey_limit_shown"}
"""Names in files of older versions -> today's."""


def to_controls(settings: Settings, avatar: Entry | None = None) -> Controls:
    """Return the controls to start with.

    Args:
        avatar: the photo for ``settings.avatar``, from ``remembered_avatar``.
    """
    if avatar is None:
        return settings.controls
    return replace(settings.controls, avatar=avatar.path, avatar_box=avatar.box, avatar_turn=avatar.turn)


def from_controls(settings: Settings, controls: Controls, library: Library) -> Settings:
    """Return the settings with the user's choices in the controls."""
    kept = Controls(**{name: getattr(controls, name) for name in KEPT})
    avatar = settings.avatar if controls.avatar is None else _avatar_text(controls.avatar, library)
    return replace(settings, controls=kept, avatar=avatar)


def _avatar_text(avatar: Path, library: Library) -> str:
    """Return a library photo's name, since the app's folders may move.

    Any other photo's full path.
    """
    entry = library.find(avatar.name)
    return avatar.name if entry is not None and entry.path == avatar else str(avatar.absolute())


def remembered_avatar(settings: Settings, library: Library) -> Entry | None:
    """Return the photo of the last time; None if there was none or it is gone."""
    path = Path(settings.avatar)
    return library.find(settings.avatar) or (photo_elsewhere(path) if path.is_absolute() else None)


def load_settings(path: Path) -> tuple[Settings, list[Text]]:
    """Read the settings.

    Missing or wrong values get their default, with one sentence about each wrong one. An unreadable file is
    kept beside it as ``settings.json.bad``.
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
    settings, warnings = Settings(), []
    unknown = {}
    for stored, value in content.items():
        name = str(RENAMED.get(stored, stored))
        if name in KINDS:
            try:
                settings = settings.having(**{name: checked(value, KINDS[name])})
            except ValueError as right:
                shown, used = _short(value), _short(settings.flat()[name])
                warnings.append(
                    Text(
                        "The setting {} in {} is {}, but must be {}; {} is used.",
                        name,
                        path,
                        shown,
                        right,
                        used,
                    )
                )
        else:
            unknown[name] = value
            if not newer:
                message = Text("The setting {} in {} is not known; it is ignored.", _shown(name), path)
                warnings.append(message)
    if newer and isinstance(version, int):
        unknown["version"] = version
    return replace(settings, unknown=unknown), sorted(warnings)


def save_settings(settings: Settings, path: Path) -> None:
    """Write the settings atomically. Raises OutputError."""
    content = {"version": VERSION, **settings.unknown, **settings.flat()}
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
    """Return a file's text on one line, shortened, without unprintable characters."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= 40 else plain[:37] + "..."

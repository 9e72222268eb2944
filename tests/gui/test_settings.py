"""Settings are kept between starts, and never prevent one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from avatar_app import paths
from avatar_app.errors import OutputError
from avatar_app.gui.settings import (
    Settings,
    from_controls,
    load_settings,
    remembered_avatar,
    save_settings,
    to_controls,
)
from avatar_app.photos.library import Library
from avatar_app.session.controls import KEPT, Controls
from avatar_app.types import Box

CHANGED = Settings().having(
    source="HD camera — кухня",
    avatar="anna.jpg",
    output="virtual-camera",
    size=(640, 480),
    fps=25,
    rotation=270,
    head=0.5,
    smoothing="strong",
    background="#203040",
    keys={"calibrate": "C"},
    hotkeys={"pause": ""},
    language="ru",
    theme="dark",
    first_run_done=True,
    window_geometry="AdnQywAD",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_first_start_has_defaults_and_nothing_to_say(path: Path) -> None:
    assert load_settings(path) == (Settings(), [])
    assert not path.exists()


def test_everything_comes_back(path: Path) -> None:
    save_settings(CHANGED, path)
    assert load_settings(path) == (CHANGED, [])
    save_settings(Settings(), path)
    assert load_settings(path) == (Settings(), [])
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


def test_a_file_name_that_is_no_unicode_comes_back(path: Path) -> None:
    settings = Settings().having(avatar=b"caf\xe9.jpg".decode("utf-8", "surrogateescape"))
    save_settings(settings, path)
    assert load_settings(path) == (settings, [])


def test_defaults_pass_their_own_checks(path: Path) -> None:
    save_settings(Settings(), path)
    written = json.loads(path.read_text())
    names = {*KEPT, *(entry.name for entry in fields(Settings))} - {"controls", "unknown"}
    assert written.keys() == {"version", *names}


OLD = """{
  "version": 1, "source": "HD camera", "avatar": "anna.jpg", "model": "vox", "device": "cpu",
  "output": "virtual-camera", "output_device": "/dev/video9", "size": [640, 480], "fps": 25,
  "background": "#203040", "label": true, "relative": false, "adapt_scale": false, "head": 0.5,
  "expression": 1, "gaze": 0.0, "smoothing": "strong", "follow": false, "zoom": 1.5, "pan_x": 0.1,
  "pan_y": -0.1, "rotation": 90, "mirror_input": true, "mirror_output": true, "mirror_preview": false,
  "show_landmarks": true, "show_ghost": false, "ghost_opacity": 0.5, "show_help_box": false,
  "show_statistics": true, "theme": "dark", "language": "ru", "keys": {"calibrate": "C"},
  "hotkeys": {"pause": ""}, "global_hotkeys": false, "limit_told": true, "tray": false,
  "first_run_done": true, "save_folder": "/a", "ask_before_quit": false, "start_at_login": true,
  "start_minimised": true, "window_geometry": "AdnQ", "window_state": "AAAA"
}"""
"""As version 1.0 of the app wrote it."""


def test_a_file_of_an_older_version_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(OLD)
    settings, warnings = load_settings(path)
    assert warnings == []
    expected = json.loads(OLD) | {"rest": True, "microphone": "", "pass_sound": False}
    expected["hotkey_limit_shown"] = expected.pop("limit_told")
    assert {**settings.flat(), "size": [640, 480], "version": 1} == expected
    save_settings(settings, path)
    assert json.loads(path.read_text()) == expected


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("fps", "fast", "fast"),
        ("fps", 0, "from 1 to 120"),
        ("fps", True, "true"),
        ("head", 9, "from 0 to 1.5"),
        ("head", float("nan"), "NaN"),
        ("expression", 10**400, "from 0 to 1.5"),
        ("size", [1, 2], "1280, 720"),
        ("size", 7, "640, 480"),
        ("output", "tv", "virtual-camera"),
        ("smoothing", None, "light"),
        ("label", 1, "true or false"),
        ("source", 0, "a text"),
        ("background", "#12", "colour"),
        ("keys", {"pause": 3}, "texts"),
        ("hotkeys", ["x"], "texts"),
        ("theme", "pink", "dark"),
        ("language", "xx", "ru"),
        ("avatar", {"long": "x" * 500}, "..."),
    ],
)
def test_wrong_value_keeps_the_default_and_is_named(path: Path, name: str, wrong: Any, says: str) -> None:
    write(path, {"version": 1, "model": "mine", name: wrong})
    settings, warnings = load_settings(path)
    assert settings == Settings().having(model="mine")
    assert len(warnings) == 1
    assert name in warnings[0] and says in warnings[0] and len(warnings[0]) < 250 + len(str(path))


def test_unknown_key_warns_and_survives(path: Path) -> None:
    write(path, {"version": 1, "colour_of_hat": "red"})
    settings, warnings = load_settings(path)
    assert len(warnings) == 1 and "colour_of_hat" in warnings[0]
    save_settings(settings.having(fps=24), path)
    assert json.loads(path.read_text())["colour_of_hat"] == "red"


def test_what_a_newer_version_wrote_survives(path: Path) -> None:
    write(path, {"version": 7, "fps": 24, "hats": {"red": [1, 2]}})
    settings, warnings = load_settings(path)
    assert (settings.controls.fps, warnings) == (24, [])
    save_settings(settings.having(fps=25), path)
    written = json.loads(path.read_text())
    assert (written["version"], written["fps"], written["hats"]) == (7, 25, {"red": [1, 2]})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'{"fps": 30', b"[" * 100_000]
)
def test_corrupt_file_is_kept_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    settings, warnings = load_settings(path)
    assert settings == Settings()
    assert len(warnings) == 1 and "settings.json.bad" in warnings[0]
    assert path.with_name("settings.json.bad").read_bytes() == content
    assert load_settings(path) == (Settings(), [])


def test_file_with_a_byte_order_mark_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"fps": 24}', encoding="utf-8-sig")
    assert load_settings(path) == (Settings().having(fps=24), [])


def test_file_that_cannot_be_read_or_written_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    settings, warnings = load_settings(path)
    assert settings == Settings() and str(path) in warnings[0]
    path.with_name(path.name + ".bad").replace(path)
    with pytest.raises(OutputError, match="cannot be written") as caught:
        save_settings(Settings(), path)
    assert caught.value.hint
    assert list(path.parent.iterdir()) == [path], "nothing half-written is left"


def photos(folder: Path, *names: str) -> Library:
    """A library of these photos."""
    for number, name in enumerate(names):
        (folder / "app").mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (80, 80), (number * 20, 0, 0)).save(folder / "app" / name)
    return Library(folder / "user", folder / "app")


def test_controls_and_back(tmp_path: Path) -> None:
    library = photos(tmp_path, "anna.jpg", "mei.jpg")
    avatar = replace(library.entries()[0], box=Box(1, 2, 3))
    controls = to_controls(CHANGED, avatar)
    assert (controls.avatar, controls.avatar_box, controls.head, controls.size) == (
        avatar.path,
        avatar.box,
        0.5,
        (640, 480),
    )
    assert to_controls(CHANGED).avatar is None
    assert from_controls(CHANGED, controls, library) == CHANGED
    chosen = replace(controls, fps=15, avatar=library.entries()[1].path)
    assert from_controls(CHANGED, chosen, library) == CHANGED.having(fps=15, avatar="mei.jpg")


def test_a_photo_outside_the_library_is_remembered_by_its_path(tmp_path: Path) -> None:
    library = photos(tmp_path, "anna.jpg")
    other = tmp_path / "elsewhere" / "anna.jpg"
    other.parent.mkdir()
    other.write_bytes(library.entries()[0].path.read_bytes())
    kept = from_controls(Settings(), Controls(avatar=other), library)
    found = remembered_avatar(kept, library)
    assert found is not None and found.path == other
    mine = from_controls(Settings(), Controls(avatar=library.entries()[0].path), library)
    assert mine.avatar == "anna.jpg" and remembered_avatar(mine, library) == library.entries()[0]
    other.unlink()
    assert remembered_avatar(kept, library) is None
    assert remembered_avatar(Settings(), library) is None
    assert remembered_avatar(Settings(avatar="/\0"), library) is None


def test_what_must_not_be_remembered_is_not(tmp_path: Path) -> None:
    controls = Controls(paused=True, pass_through=True, calibrations=4, seeking=True, recording=Path("x.mp4"))
    assert from_controls(Settings(), controls, photos(tmp_path)) == Settings()
    left_out = {"avatar", "avatar_box", "paused", "pass_through", "calibrations", "seeking", "recording"}
    left_out |= {
        "picks",
        "picked",
        "avatar_turn",
        "avatar_face",
        "preset",
        "hold",
        "plays",
        "played",
        "may_rest",
    }
    assert {entry.name for entry in fields(Controls)} == {*KEPT} | left_out


def test_same_defaults_as_the_controls() -> None:
    assert to_controls(Settings()) == Controls()


def test_default_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path)
    assert paths.user_settings() == tmp_path / "settings.json"


WRITER = """
import sys
from pathlib import Path
from avatar_app.gui.settings import Settings, save_settings
number = 0
while True:
    number += 1
    save_settings(Settings().having(source="x" * 100_000, fps=number % 100 + 1), Path(sys.argv[1]))
    if number == 5:
        print("writing", flush=True)
"""


def test_a_killed_program_leaves_whole_settings(path: Path) -> None:
    """Also two at once: the last writer's file stays, whole."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
        for _ in range(20):
            assert load_settings(path)[1] == []
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    settings, warnings = load_settings(path)
    assert (len(settings.controls.source), warnings) == (100_000, [])

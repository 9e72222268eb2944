"""Commands from other programs, executed on a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar_app.control.server import COMMANDS
from avatar_app.errors import AvatarError
from avatar_app.photos.library import Library
from avatar_app.session.commands import Commands
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.types import Box


@pytest.fixture
def session() -> Session:
    return Session(Controls())


@pytest.fixture
def commands(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(session, Library(tmp_path), {"quit": lambda _: None})


def test_every_command_has_its_action(commands: Commands) -> None:
    for word, command in COMMANDS.items():
        try:
            assert commands(word)["message"]
        except AvatarError as error:
            assert error.hint, word  # no window, no picture, or no messages after it
        assert command.summary


def test_toggle_pauses_and_goes_on(commands: Commands, session: Session) -> None:
    assert commands("toggle")["message"] == "the call sees the still card"
    assert session.controls.paused
    assert commands("toggle")["message"] == "the call sees the avatar again"
    assert not session.controls.paused


def test_recordings_begin_and_end(commands: Commands, session: Session, tmp_path: Path) -> None:
    assert commands("record start")["message"] == "recording"
    first = session.controls.recording
    assert first is not None
    assert (first.parent, first.suffix) == (tmp_path, ".mp4")
    commands("record start")
    assert session.controls.recording == first
    assert commands("record")["message"] == "not recording"
    assert commands("record stop")["message"] == "not recording"
    assert session.controls.recording is None


def test_window_records_in_its_own_way(session: Session, tmp_path: Path) -> None:
    asked: list[str] = []
    own = {"record": lambda _: asked.append("record"), "snapshot": lambda _: asked.append("snapshot")}
    commands = Commands(session, Library(tmp_path), own)
    for line in ("record", "record stop", "snapshot"):
        commands(line)
    assert asked == ["record", "snapshot"]


def test_mirror_and_zoom(commands: Commands, session: Session) -> None:
    assert commands("mirror")["message"] == "mirrored"
    assert commands("mirror on")["message"] == "mirrored"
    assert commands("mirror off")["message"] == "not mirrored"
    assert commands("zoom in")["message"] == "zoom 1.1"
    assert commands("zoom 1.9")["message"] == "zoom 1.9"
    for _ in range(3):
        commands("zoom in")
    assert session.controls.zoom == 2
    commands("zoom out")
    assert session.controls.zoom == 1.9
    session.change(pan_x=0.2)
    assert commands("zoom reset")["message"] == "zoom 1"
    assert session.controls.pan_x == 0


def test_status_says_what_a_key_pad_shows(commands: Commands) -> None:
    commands("mirror on")
    commands("pause")
    status = commands("status")
    wanted = {"paused": True, "recording": "", "mirror": True, "zoom": 1.0, "avatar": ""}
    assert {name: status[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("record now", "The command record does not know 'now'."),
        ("mirror left", "The command mirror does not know 'left'."),
        ("zoom 3", "The command zoom does not know '3'."),
        ("zoom nan", "The command zoom does not know 'nan'."),
        ("snapshot a.jpg", "has an ending that cannot be written"),
        ("snapshot a.png", "There is no picture to keep yet."),
        ("avatar Nobody", "There is no photo Nobody"),
        ("raise", "without a window"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    commands: Commands, session: Session, tmp_path: Path, line: str, says: str
) -> None:
    before = session.controls
    with pytest.raises(AvatarError) as caught:
        commands(line)
    assert says in caught.value.message
    assert caught.value.hint
    assert session.controls == before
    assert not list(tmp_path.glob("*.png"))


def test_expressions_are_played_and_held(commands: Commands, session: Session) -> None:
    assert commands("expression smile")["message"] == "smile"
    assert (session.controls.plays, session.controls.played, session.controls.preset) == (1, "smile", "")
    commands("expression look hold")
    assert commands("status")["expression"] == "look"
    commands("expression off")
    assert (session.controls.preset, session.controls.plays) == ("", 1)
    for line in ("expression frown", "expression smile forever", "expression hold"):
        with pytest.raises(AvatarError, match="The command expression does not know"):
            commands(line)


def test_a_photo_comes_with_the_crop_that_the_gallery_keeps(session: Session, tmp_path: Path) -> None:
    library = Library(tmp_path)
    first, second = library.entries()[:2]
    library.set_box(second, Box(110, 120, 200), 1)
    Commands(session, library, {})(f"avatar {second.name}")
    shown = session.controls
    assert (shown.avatar_box, shown.avatar_turn) == (Box(110, 120, 200), 1)
    Commands(session, library, {})(f"avatar {first.name}")
    assert session.controls.avatar_box is None
    Commands(session, library, {})("next")
    assert session.controls.avatar_box == Box(110, 120, 200)

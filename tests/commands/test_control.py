"""The ``control`` command against a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_app import cli
from avatar_app.control import address
from avatar_app.control import server as control
from avatar_app.errors import AvatarError
from avatar_app.text import Text


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(cli.COMMANDS, "control", "tell the running app what to do")
    path = tmp_path / "run" / "control.socket"
    monkeypatch.setattr(control, "default_path", lambda name="": path)
    return path


def handle(command: str) -> control.Reply:
    if command == "next":
        raise AvatarError(Text("There is no other avatar."), Text("Add one."))
    return {"message": "Shows the avatar.", "fps": 25} if command == "status" else f"Done: {command}."


@pytest.fixture
def server() -> Iterator[None]:
    server = control.ControlServer(handle)
    server.start()
    yield
    server.close()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "words", [["pause"], ["avatar", "Anna B"], ["raise"], ["record", "start"], ["zoom", "1.2"], ["mirror"]]
)
def test_done(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["control", *words]) == 0
    assert capsys.readouterr() == (f"Done: {' '.join(words)}.\n", "")


@pytest.mark.usefixtures("server")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["control", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "message": "Shows the avatar.", "fps": 25}


@pytest.mark.usefixtures("server")
def test_json_can_be_written_in_any_encoding(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["control", "avatar", "Zoë 😀", "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed)["message"] == "Done: avatar Zoë 😀."


@pytest.mark.usefixtures("server")
def test_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["control", "next"]) == 2
    assert capsys.readouterr() == ("", "error: There is no other avatar. Add one.\n")


def test_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["control", "pause"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: The app is not running.")
    assert printed.err.count("\n") == 1


def test_no_such_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["control", "dance"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("server")
def test_a_picture_is_kept_where_control_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["control", "snapshot", "a.png"]) == 0
    assert capsys.readouterr().out == f"Done: snapshot {tmp_path / 'a.png'}.\n"


def test_instances_are_found_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control, "default_path", lambda name="": tmp_path / f"control-{name}.socket")
    servers = [
        control.ControlServer(lambda line, name=name: f"{name}: {line}", name=name)  # type: ignore[misc]
        for name in ("left", "right")
    ]
    for server in servers:
        server.start()
    try:
        assert cli.main(["control", "--name", "right", "next"]) == 0
        assert cli.main(["control", "--name", "left", "pause"]) == 0
        assert capsys.readouterr().out == "right: next\nleft: pause\n"
        assert cli.main(["control", "--name", "middle", "pause"]) == 2
    finally:
        for server in servers:
            server.close()


@pytest.mark.parametrize("name", ["../x", "", "a b", "x" * 25, "é"])
def test_impossible_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["control", f"--name={name}", "pause"])
    assert "is not a name" in capsys.readouterr().err


def test_a_name_leads_to_a_file_of_its_own() -> None:
    one, other, usual = (address.default_path(name) for name in ("left", "right", ""))
    assert len({one, other, usual}) == 3
    assert one.parent == other.parent == usual.parent

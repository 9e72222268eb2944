"""The ``control`` command against a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_app import cli
from avatar_app.control import server as control
from avatar_app.errors import AvatarError
from avatar_app.text import Text


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(cli.COMMANDS, "control", "tell the running app what to do")
    path = tmp_path / "run" / "control.socket"
    monkeypatch.setattr(control, "default_path", lambda: path)
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
@pytest.mark.parametrize("words", [["pause"], ["avatar", "Anna B"], ["raise"]])
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

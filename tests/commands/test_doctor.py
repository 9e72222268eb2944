"""The ``doctor`` command."""

from __future__ import annotations

import json
import sys

import pytest

from avatar_app import cli
from avatar_app.commands import doctor
from avatar_app.doctor.checks import Check
from avatar_app.text import Text

GOOD = Check(Text("Cameras"), "ok", Text("USB Camera."))
BAD = Check(Text("Speed"), "problem", Text("3 frames a second."), Text("Close other programs."), needed=True)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "doctor", "check this computer")


def pretend(monkeypatch: pytest.MonkeyPatch, *found: Check) -> list[tuple[object, ...]]:
    asked: list[tuple[object, ...]] = []

    def checks(*wanted: object) -> list[Check]:
        asked.append(wanted)
        return list(found)

    monkeypatch.setattr(doctor, "checks", checks)
    return asked


def test_a_call_would_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = pretend(monkeypatch, GOOD)
    assert cli.main(["doctor", "--quick", "--device", "cpu"]) == 0
    assert capsys.readouterr() == ("ok       Cameras         USB Camera.\n\nA call would work.\n", "")
    assert asked == [("lite", "cpu", True)]


def test_a_call_would_not_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, GOOD, BAD)
    assert cli.main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert (
        "problem  Speed           3 frames a second.\n         what to do      Close other programs.\n"
        in printed
    )
    assert "\033" not in printed


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, GOOD, BAD)
    assert cli.main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["works"] is False
    assert report["checks"][1] == {
        "name": "Speed",
        "state": "problem",
        "found": "3 frames a second.",
        "todo": "Close other programs.",
        "needed": True,
    }


def test_json_can_be_written_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, Check(Text("Cameras"), "ok", Text("Caméra 😀.")))
    assert cli.main(["doctor", "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed)["checks"][0]["found"] == "Caméra 😀."


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not doctor.in_colour()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert doctor.in_colour()
    assert doctor.shown(BAD, True).startswith("\033[1;31mproblem\033[0m  Speed")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not doctor.in_colour()


def test_for_real_it_always_ends_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["doctor", "--quick", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == (0 if report["works"] else 1)
    assert {check["state"] for check in report["checks"]} <= {"ok", "note", "problem"}

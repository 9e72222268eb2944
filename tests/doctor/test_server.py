"""What the doctor reports on a computer that renders for others."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from avatar_app import extras
from avatar_app.doctor import server
from avatar_app.doctor.server import check_capacity, check_packages, check_port, check_secrets
from avatar_app.doctor.speed import Speed
from avatar_app.remote.pairing import certificate_files, read_token


def test_missing_packages_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_packages().state == "ok"
    monkeypatch.setattr(extras, "_installed", lambda name: False)
    check = check_packages()
    assert (check.state, check.needed) == ("problem", True)
    assert "uvicorn==" in check.todo


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        assert check_port(taken.getsockname()[1]).state == "note"
        port = taken.getsockname()[1]
    assert check_port(port).state == "ok"


def test_secrets_that_others_can_read_are_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "serve"
    assert check_secrets(folder).state == "ok"
    read_token(folder)
    certificate_files(folder)
    assert check_secrets(folder).state == "ok"
    (folder / "token").chmod(0o644)
    check = check_secrets(folder)
    assert check.state == "problem"
    assert f"chmod 600 {folder / 'token'}" in check.todo


@pytest.mark.parametrize(
    ("fps", "state", "words"), [(95.0, "ok", "--sessions 3"), (12.0, "note", "graphics card")]
)
def test_the_speed_becomes_a_number_of_people(
    monkeypatch: pytest.MonkeyPatch, fps: float, state: str, words: str
) -> None:
    monkeypatch.setattr(server, "measure_speed", lambda model, device: Speed("lite, CPU", fps))
    check = check_capacity("lite", "cpu")
    assert check.state == state
    assert words in check.todo

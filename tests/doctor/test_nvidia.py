"""Which PyTorch a graphics card needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from avatar_app.doctor import nvidia as graphics_card
from avatar_app.doctor.nvidia import Card, advice, backend, find_card, lacks_driver, read_card


def test_the_answer_of_nvidia_smi() -> None:
    card = read_card("NVIDIA GeForce RTX 3060, 580.65.06, 8.6\nNVIDIA GeForce GTX 1080, 580.65.06, 6.1\n")
    assert card == Card("NVIDIA GeForce RTX 3060", "580.65.06", 8.6)
    assert str(card) == "NVIDIA GeForce RTX 3060 (driver 580.65.06)"
    assert read_card("Quadro, 470.1, [N/A]\n") == Card("Quadro", "470.1", 0.0)


@pytest.mark.parametrize("answer", ["", "No devices were found\n", "a, b\n", "Card, [N/A], 8.6\n"])
def test_no_card(answer: str) -> None:
    assert read_card(answer) is None


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(), subprocess.TimeoutExpired("nvidia-smi", 10), subprocess.CalledProcessError(9, "x")],
)
def test_a_driver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(graphics_card, "find_program", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fail)
    assert find_card() is None


def test_a_computer_without_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_card() is None


def test_a_card_without_its_driver(tmp_path: Path) -> None:
    def add(slot: str, vendor: str, kind: str) -> None:
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "vendor").write_text(f"{vendor}\n")
        (tmp_path / slot / "class").write_text(f"{kind}\n")

    assert not lacks_driver(tmp_path / "missing")
    add("0000:00:02.0", "0x8086", "0x030000")
    add("0000:01:00.1", "0x10de", "0x040300")  # the sound of an NVIDIA card
    assert not lacks_driver(tmp_path)
    add("0000:01:00.0", "0x10de", "0x030000")
    assert lacks_driver(tmp_path)


FETCH = "Run `cuda install`, or press “Use my NVIDIA card” in the window's settings."


@pytest.mark.parametrize(
    ("driver", "capability", "build"),
    [
        ("580.65", 8.6, "auto"),
        ("581.0", 12.0, "auto"),
        ("560.35", 8.9, "auto"),
        ("580.65", 6.1, "cu126"),
        ("535.1", 0.0, "auto"),
    ],
)
def test_what_mends_it(driver: str, capability: float, build: str) -> None:
    card = Card("Card", driver, capability)
    assert advice(card, "2.13.0+cpu") == FETCH
    assert backend(card) == build
    assert backend(None) == "auto"


@pytest.mark.parametrize(
    ("driver", "capability", "needed"), [("470.2", 8.6, 525), ("570.1", 12.0, 580), ("470.2", 6.1, 525)]
)
def test_an_old_driver_comes_first(driver: str, capability: float, needed: int) -> None:
    assert advice(Card("Card", driver, capability), "2.13.0+cpu").startswith(
        f"Update the NVIDIA driver to version {needed} or newer. {FETCH}"
    )


def test_what_no_command_mends() -> None:
    assert "no longer supports" in advice(Card("Card", "470.1", 3.5), "2.13.0+cpu")
    assert "Restart" in advice(Card("Card", "580.1", 8.6), "2.13.0+cu130")

"""The table of keys."""

from __future__ import annotations

import pytest

from avatar_app.gui.shortcuts import ACTIONS, action_keys, action_text, clashes, key_text

PARITY = (
    "1 2 3 4 5 6 7 8 9 A D L Q X F O Z C W S U H J K Shift+U Shift+H Shift+J Shift+K Shift+Z R T I 0 "
    "Space P Shift+R Ctrl+S"
)


@pytest.mark.parametrize("key", PARITY.split())
def test_every_key_that_users_know_does_something(key: str) -> None:
    assert [name for name in ACTIONS if key in [sequence.toString() for sequence in action_keys(name, {})]]


def test_no_key_does_two_things() -> None:
    assert clashes({}) == {}
    assert clashes({"calibrate": "F"}) == {"F": ["calibrate", "find-best"]}


def test_keys_can_be_changed_and_taken_away() -> None:
    assert key_text("calibrate", {"calibrate": "Ctrl+K"}) == "Ctrl+K"
    assert key_text("calibrate", {"calibrate": ""}) == ""
    assert key_text("pause", {}) == "P, Space"


def test_every_action_has_a_text() -> None:
    texts = [action_text(name) for name in ACTIONS]
    assert all(texts)
    assert len(set(texts)) == len(texts)
    assert action_text("avatar-7") == "Avatar 7"

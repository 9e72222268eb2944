"""Sound keeps its position: after gaps, and with a clock that is fast or slow."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.sound.microphone import Clock
from avatar_app.sound.timeline import JUMP, RATE, Timeline

BLOCK = RATE // 100


def laid(places: list[float], blocks: list[float]) -> np.ndarray:
    """Blocks of these levels at these positions, as one array."""
    timeline = Timeline()
    made = [
        timeline.place(np.full(BLOCK, height, np.float32), place)
        for height, place in zip(blocks, places, strict=True)
    ]
    assert timeline.samples == sum(len(piece) for piece in made)
    return np.concatenate(made)


def test_sound_without_gaps_is_as_it_was() -> None:
    row = laid([0.0, 0.01, 0.02], [1, 2, 3])
    assert np.array_equal(row, np.repeat(np.array([1, 2, 3], np.float32), BLOCK))


def test_first_sound_is_preceded_by_silence_or_cut() -> None:
    late = laid([0.015], [1])
    assert np.flatnonzero(late)[0] == round(0.015 * RATE)
    early = laid([-0.004, 0.006], [1, 2])
    assert len(early) == 2 * BLOCK - round(0.004 * RATE)
    assert len(laid([-5.0], [1])) == 0


def test_a_gap_is_silent_and_what_comes_twice_is_cut() -> None:
    row = laid([0.0, 0.51], [1, 2])
    assert np.flatnonzero(row == 2)[0] == round(0.51 * RATE)
    assert len(laid([0.0, 0.01 - 2 * JUMP], [1, 2])) == BLOCK


@pytest.mark.parametrize("speed", [0.999, 1.001])
def test_a_fast_or_slow_clock_never_gets_far_off(speed: float) -> None:
    timeline, wave = Timeline(), np.sin(np.arange(BLOCK) / 7).astype(np.float32)
    for number in range(3000):
        made = timeline.place(wave, number * BLOCK / RATE * speed)
        assert abs(len(made) - BLOCK) <= 4  # no click
    assert abs(timeline.seconds - 3000 * BLOCK / RATE * speed) < 0.02


def test_silence_is_filled_up_to_a_moment_once() -> None:
    timeline = Timeline()
    assert len(timeline.fill(0.5)) == RATE // 2
    assert len(timeline.fill(0.5)) == len(timeline.fill(0.1)) == 0
    assert len(timeline.place(np.ones(BLOCK, np.float32), 0.5)) == BLOCK


def test_arrivals_that_jitter_do_not_move_the_sound() -> None:
    clock, random = Clock(), np.random.default_rng(0)
    offs = []
    for number in range(1000):
        heard = 100 + number * 0.01
        late = float(random.exponential(0.01)) if number else 0.0
        offs.append(clock.heard(BLOCK, heard + 0.01 + late) - heard)
    assert max(map(abs, offs)) < 0.003


def test_sound_after_lost_samples_is_in_time_again() -> None:
    clock, random = Clock(), np.random.default_rng(0)
    offs = []
    for number in range(2000):
        heard = 100 + number * 0.01
        if 600 <= number < 630:
            continue  # the device dropped these
        offs.append(clock.heard(BLOCK, heard + 0.01 + float(random.exponential(0.005))) - heard)
    assert max(map(abs, offs[100:600])) < 0.003
    assert max(map(abs, offs[850:])) < 0.01

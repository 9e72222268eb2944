"""How many pictures may be in flight, and which codec fits a network. All with the test's own clock."""

from __future__ import annotations

import asyncio
import math

import pytest

from avatar_app.remote.flow import MOST, SPARE, CodecChoice, Flow

FPS = 30
JPEG, H264 = 36_000, 9_000
"""Bytes of a picture."""


class Network:
    """Transmits pictures in sequence, at a rate, after half a round trip; acknowledgements return after the
    other half."""

    def __init__(self, flow: Flow, round_trip: float, bits: float) -> None:
        self.flow, self.round_trip, self.bits = flow, round_trip, bits
        self.now = self.free = 0.0
        self.number = 0
        self.coming: list[tuple[float, int]] = []
        flow.echoed(round_trip)

    async def picture(self, size: int) -> float:
        """Send one at the next tick of a camera, or as soon as there is room; returns the delay."""
        self.now += 1 / FPS
        self._deliver()
        waiting = asyncio.ensure_future(self.flow.wait())
        await asyncio.sleep(0)
        while not waiting.done():
            self.now = max(self.now, self.coming[0][0])
            self._deliver()
            await asyncio.sleep(0)
        self.number += 1
        self.flow.sent(self.number, size, self.now)
        self.free = max(self.free, self.now) + 8 * size / self.bits
        seen = self.free + self.round_trip
        self.coming.append((seen, self.number))
        return seen - self.now

    def _deliver(self) -> None:
        while self.coming and self.coming[0][0] <= self.now:
            at, number = self.coming.pop(0)
            self.flow.seen(number, at)


def play(network: Network, choice: CodecChoice, pictures: int) -> list[float]:
    async def run() -> list[float]:
        return [await network.picture(JPEG if choice.look() == "jpeg" else H264) for _ in range(pictures)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("round_trip", "bits", "codec"),
    [
        (0.0005, 1e9, "jpeg"),
        (0.02, 100e6, "jpeg"),
        (0.06, 50e6, "jpeg"),
        (0.15, 50e6, "jpeg"),
        (0.02, 9.5e6, "h264"),
        (0.02, 3e6, "h264"),
        (0.06, 5e6, "h264"),
    ],
)
def test_the_codec_follows_the_measured_rate(round_trip: float, bits: float, codec: str) -> None:
    flow = Flow(FPS)
    choice = CodecChoice(["jpeg", "h264"], flow)
    play(Network(flow, round_trip, bits), choice, 200)
    assert choice.now == codec


@pytest.mark.parametrize("round_trip", [0.02, 0.06])
def test_a_slow_network_gets_h264_within_a_second(round_trip: float) -> None:
    flow = Flow(FPS)
    choice, network = CodecChoice(["jpeg", "h264"], flow), Network(flow, round_trip, 3e6)
    while choice.now == "jpeg":
        play(network, choice, 1)
        assert network.now < 1.0


def test_some_late_pictures_at_the_beginning_change_nothing() -> None:
    """A busy computer is not a slow network."""
    flow = Flow(FPS)
    choice, network = CodecChoice(["jpeg", "h264"], flow), Network(flow, 0.02, 100e6)
    for bits in (100e6, 5e6, 5e6, 100e6, 5e6, 5e6, 5e6, 100e6):
        network.bits = bits
        play(network, choice, 1)
    assert choice.now == "jpeg"


def test_jpeg_comes_back_with_a_fast_network() -> None:
    flow = Flow(FPS)
    choice = CodecChoice(["jpeg", "h264"], flow)
    network = Network(flow, 0.02, 3e6)
    play(network, choice, 100)
    assert choice.now == "h264"
    network.bits = 100e6
    play(network, choice, 100)
    assert choice.now == "jpeg"


def test_a_codec_that_the_client_does_not_know_is_never_chosen() -> None:
    flow = Flow(FPS)
    choice = CodecChoice(["jpeg"], flow)
    waits = play(Network(flow, 0.02, 3e6), choice, 200)
    assert choice.now == "jpeg"
    # Few of them wait for each other: 0.1 s each at this rate.
    assert max(waits) < 0.02 + 0.1 * (flow.window + 1)


def test_a_long_way_is_filled() -> None:
    """At 60 ms, thirty pictures a second need four in flight."""
    flow = Flow(FPS)
    network = Network(flow, 0.06, 50e6)
    play(network, CodecChoice(["jpeg"], flow), 90)
    assert network.now == pytest.approx(90 / FPS, abs=0.05)


def test_the_window_has_an_end() -> None:
    flow = Flow(FPS)
    assert flow.window == SPARE
    flow.echoed(9.0)
    assert flow.window == MOST


def test_a_client_that_does_not_say_what_it_sees_is_not_waited_for() -> None:
    flow = Flow(FPS, paced=False)

    async def run() -> None:
        for number in range(100):
            await flow.wait()
            flow.sent(number, JPEG, float(number))

    asyncio.run(asyncio.wait_for(run(), 10))
    assert flow.rate is None


def test_odd_answers_change_nothing() -> None:
    flow = Flow(FPS)
    flow.seen(99, 1.0)
    flow.echoed(-5.0)
    assert flow.round_trip == 0
    assert not math.isnan(flow.window)

"""A slow network on this computer, between two network namespaces (Linux).

Every IP packet passes a process that delays or drops it, so the kernel's own TCP repeats what is lost. The
kernel's `netem` does the same, but many kernels are built without it.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
"""Addresses of the two ends."""

PACKET = 1500
BUFFER = 0.2
"""Seconds of packets that wait for a limited rate; the router drops any further one."""

SET_INTERFACE, TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
"""TUNSETIFF, and IFF_TUN with IFF_NO_PI, of linux/if_tun.h."""


@dataclass(frozen=True, slots=True)
class Network:
    """Round trip in seconds, fraction of lost packets, and bits per second (0: no limit)."""

    round_trip: float = 0.0
    loss: float = 0.0
    rate: float = 0.0


class Way:
    """One direction: its packets in their order, each with the time at which it arrives."""

    def __init__(self, network: Network, into: int, chance: random.Random) -> None:
        self._network, self._into, self._chance = network, into, chance
        self._packets: deque[tuple[float, bytes]] = deque()
        self._free = 0.0

    @property
    def due(self) -> float | None:
        return self._packets[0][0] if self._packets else None

    def take(self, packet: bytes, now: float) -> None:
        if self._free - now > BUFFER or self._chance.random() < self._network.loss:
            return
        sending = 8 * len(packet) / self._network.rate if self._network.rate else 0.0
        self._free = max(self._free, now) + sending
        self._packets.append((self._free + self._network.round_trip / 2, packet))

    def deliver(self, now: float) -> None:
        while self._packets and self._packets[0][0] <= now:
            packet = self._packets.popleft()[1]
            with suppress(OSError):  # the device is not up yet
                os.write(self._into, packet)


def carry(network: Network, one: int, other: int) -> None:
    """Pass packets between two TUN devices until the process is killed."""
    chance = random.Random(0)
    ways = {one: Way(network, other, chance), other: Way(network, one, chance)}
    while True:
        due = [way.due for way in ways.values() if way.due is not None]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        for device in select.select(ways, [], [], wait)[0]:
            ways[device].take(os.read(device, PACKET), time.monotonic())
        for way in ways.values():
            way.deliver(time.monotonic())


def enter_namespace() -> None:
    """Start this program again in a network namespace of its own, unless it is in one."""
    if os.environ.get("OWN_NETWORK") is None:
        os.environ["OWN_NETWORK"] = "1"
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", *sys.orig_argv])
    _set("link", "set", "lo", "up")


@contextmanager
def behind(network: Network, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a program at ``SERVER``, behind the network; its output is a pipe."""
    devices = _tun("client"), _tun("server")
    # The program begins when its namespace is ready.
    program = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", 'read ready && exec "$@"', "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    carrier = os.fork()
    if carrier == 0:
        try:
            carry(network, *devices)
        finally:  # the devices end with the program's namespace
            os._exit(0)
    try:
        assert program.stdin is not None
        own, its = (Path(f"/proc/{process}/ns/net") for process in ("self", program.pid))
        while its.readlink() == own.readlink():
            time.sleep(0.01)
        _set("address", "add", CLIENT, "peer", SERVER, "dev", "client")
        _set("link", "set", "client", "up")
        _set("link", "set", "server", "netns", str(program.pid))
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", SERVER, "peer", CLIENT, "dev", "server"),
            ("link", "set", "server", "up"),
        ):
            _set(*words, inside=program.pid)
        program.stdin.write("ready\n")
        program.stdin.flush()
        yield program
    finally:
        program.terminate()
        program.wait(20)
        os.kill(carrier, signal.SIGKILL)
        os.waitpid(carrier, 0)
        for device in devices:
            os.close(device)


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, SET_INTERFACE, struct.pack("16sH", name.encode(), TUN_WITHOUT_HEADER))
    return device


def _set(*words: str, inside: int | None = None) -> None:
    enter = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run([*enter, "ip", *words], check=True)

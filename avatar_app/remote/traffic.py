"""Figures about the network to a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traffic:
    """The network over the last second.

    Attributes:
        address: of the server that is or was connected last, without the secret.
        connected: whether it is now.
        round_trip: median milliseconds from a pose to its picture; 0 without one.
        fps, bits: pictures and their bits a second.
        codec: of the last one.
    """

    address: str
    connected: bool
    round_trip: float = 0.0
    fps: float = 0.0
    bits: float = 0.0
    codec: str = ""

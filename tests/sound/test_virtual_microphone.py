"""The data that the virtual microphone sends to its server, without a server."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.sound.microphone import Block
from avatar_app.sound.timeline import RATE
from avatar_app.sound.virtual_microphone import PIPE_BYTES, VirtualMicrophone


def test_a_long_block_goes_on_whole_in_pieces_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may accept a part of a larger block, and the rest must not be lost."""
    made = VirtualMicrophone.__new__(VirtualMicrophone)
    made.begin_again()
    written: list[bytes] = []
    monkeypatch.setattr(made, "_write", written.append)
    sound = np.linspace(-1, 1, RATE // 20, dtype=np.float32)
    made.play(Block(sound, 5.0), 0.1)
    moments = [moment for moment, _ in made._waiting]
    made.pass_on(moments[0])
    assert len(written) == 1
    made.pass_on(10.0)
    assert max(map(len, written)) <= PIPE_BYTES
    assert np.array_equal(np.frombuffer(b"".join(written), np.float32), sound)
    assert np.allclose(np.diff(moments), 0.01)

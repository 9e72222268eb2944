"""What holds for every test: it begins alike, whatever ran before it."""

from __future__ import annotations

import random
import signal
import sys
import zlib
from collections.abc import Generator, Iterator

import cv2
import numpy as np
import pytest


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start.

    A shell that runs them in the background has it ignored, and programs inherit that.
    """
    for number in (getattr(signal, name, None) for name in ("SIGINT", "SIGHUP")):
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def seed(name: str) -> None:
    """Set every random generator that needs no object of its own, by the name of what is about to run."""
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)  # for libraries that still use it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """A fixture of a whole file must not depend on the test that needs it first."""
    seed(fixturedef.argname)
    return (yield)


@pytest.fixture(autouse=True)
def same_start(request: pytest.FixtureRequest) -> Iterator[None]:
    """Seeds by the test's name.

    Afterwards as many threads as before, since sums depend on them.
    """
    torch = sys.modules.get("torch")
    threads = cv2.getNumThreads(), torch.get_num_threads() if torch else 0
    seed(request.node.nodeid)
    yield
    cv2.setNumThreads(threads[0])
    if torch:
        torch.set_num_threads(threads[1])

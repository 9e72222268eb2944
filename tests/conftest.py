"""Give every test the same initial state, whatever ran before it."""

from __future__ import annotations

import gc
import random
import signal
import sys
import zlib
from collections.abc import Generator, Iterator

import cv2
import numpy as np
import pytest


def pytest_configure() -> None:
    """Let Ctrl-C reach processes that the tests start.

    A shell that runs the tests in the background ignores it, and child processes inherit that.
    """
    for number in (getattr(signal, name, None) for name in ("SIGINT", "SIGHUP")):
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def seed(name: str) -> None:
    """Seed every global random generator from the name of the test."""
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)  # for libraries that still use it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number)


@pytest.fixture(autouse=True, scope="session")
def own_graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests open many small models; they must not push the user's graphs out of the cache."""
    folder = tmp_path_factory.mktemp("graphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("avatar_app.graph_cache.user_graphs", lambda: folder)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """A module's fixture must not depend on the test that first needs it."""
    seed(fixturedef.argname)
    return (yield)


@pytest.fixture(autouse=True)
def same_start(request: pytest.FixtureRequest) -> Iterator[None]:
    """Seed by the test's name.

    Restores the number of threads afterwards, since sums depend on it. Collects reference cycles: windows of
    earlier tests must not be destroyed in some thread of a later one.
    """
    torch = sys.modules.get("torch")
    threads = cv2.getNumThreads(), torch.get_num_threads() if torch else 0
    seed(request.node.nodeid)
    yield
    cv2.setNumThreads(threads[0])
    if torch:
        torch.set_num_threads(threads[1])
    if "PySide6.QtCore" in sys.modules:
        gc.disable()
        from avatar_app.gui.garbage import collect_due

        collect_due()

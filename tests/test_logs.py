"""The log file: readable by its user alone, and never a cause of failure."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_app.logs import SIZE, PrivateLog, log_to_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes of files")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("avatar_app")
    before = list(logger.handlers)
    yield logger
    for handler in [handler for handler in logger.handlers if handler not in before]:
        logger.removeHandler(handler)
        handler.close()


@posix
def test_only_its_user_can_read_it(tmp_path: Path, logger: logging.Logger) -> None:
    path = tmp_path / "folder" / "app.log"
    path.parent.mkdir()
    path.write_text("of an older version\n")
    path.chmod(0o644)
    log_to_file(path)
    logger.error("the photo /home/anna/me.jpg")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("of an older version\n")
    assert "me.jpg" in path.read_text()


@posix
def test_the_one_before_is_as_private(tmp_path: Path, logger: logging.Logger) -> None:
    log_to_file(tmp_path / "app.log")
    for _ in range(3):
        logger.error("x" * (SIZE // 2))
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600, 0o600]


def test_nothing_is_made_until_there_is_something_to_say(tmp_path: Path, logger: logging.Logger) -> None:
    log_to_file(tmp_path / "folder" / "app.log")
    assert list(tmp_path.iterdir()) == []
    log_to_file(tmp_path / "folder" / "app.log")
    assert len([handler for handler in logger.handlers if isinstance(handler, PrivateLog)]) == 1


def test_a_place_that_cannot_be_written_is_no_error(
    tmp_path: Path, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    log_to_file(tmp_path / "file" / "app.log")
    logger.error("lost")
    full = Path("/dev/full")
    if full.exists():
        logger.addHandler(PrivateLog(full))
        logger.error("lost too")
    assert capsys.readouterr().err == ""

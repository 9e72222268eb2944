"""The log file: a few hundred kilobytes beside the settings, for this user alone."""

from __future__ import annotations

import io
import logging
import os
import stat
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

SIZE = 300_000
"""Bytes after which a new log begins; one older file is kept."""


class PrivateLog(RotatingFileHandler):
    """A log that creates its file at the first line.

    If that fails, the app works all the same.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=SIZE, backupCount=1, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        # It names photos, cameras and folders. An older version's log may be readable for everybody.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            with suppress(OSError, AttributeError):
                os.fchmod(descriptor, 0o600)
        return io.TextIOWrapper(io.FileIO(descriptor, "ab"), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        """Do nothing: a full disk must not print a traceback for every line."""


def log_to_file(path: Path) -> None:
    """Write the log of ``avatar_app`` to ``path``."""
    logger = logging.getLogger("avatar_app")
    if not any(
        isinstance(handler, PrivateLog) and handler.baseFilename == str(path.absolute())
        for handler in logger.handlers
    ):
        logger.addHandler(PrivateLog(path))

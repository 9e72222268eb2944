"""The program: ``python -m avatar_app``, ``avatar-app`` and ``run.py``."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command of this process's arguments, and end the process."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            # Nothing is open before the command line takes over, so a signal during the imports exits
            # silently.
            signal.signal(number, lambda received, _: os._exit(128 + received))
    from avatar_app import cli

    cli.main()


if __name__ == "__main__":
    main()

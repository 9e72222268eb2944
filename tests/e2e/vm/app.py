"""Run the app's command line with stand-ins for its networks; everything else is real.

python -m tests.e2e.vm.app live ...
"""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

from avatar_app import cli
from avatar_app.commands import live
from avatar_app.session.session import Session
from tests.e2e.vm.stand_ins import NumberingEngine, SteadyDetector


def main() -> None:
    """Run the command of this process's arguments, and exit as the program does."""
    made = partial(Session, open_engine=lambda model, device: NumberingEngine(), open_detector=SteadyDetector)
    with patch.object(live, "Session", made):
        cli.main()


if __name__ == "__main__":
    main()

"""Start the app from a checkout: ``python run.py animate --help``."""

import sys

from avatar_app.cli import main

if __name__ == "__main__":
    sys.exit(main())

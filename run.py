"""Start the app from a checkout: ``python run.py animate --help``."""

from avatar_app.__main__ import main

if __name__ == "__main__":
    main()

"""Where things are: what came with the app, and what the user added."""

from __future__ import annotations

from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder that came with the app.

    Beside the package in a checkout, inside it once installed.
    """
    if (PACKAGE.parent / "setup.cfg").is_file():
        return PACKAGE.parent / name
    return PACKAGE / "bundled" / name


def model_folders() -> tuple[Path, ...]:
    """The folders that hold bundles, in the order in which a name is looked up.

    They need not exist.
    """
    return (_shipped("models"), user_models())


def user_data() -> Path:
    """Where the app keeps what is the user's own. It need not exist yet."""
    return platformdirs.user_data_path("avatar-app", appauthor=False)


def user_models() -> Path:
    """Where imported and fetched bundles go. It need not exist yet."""
    return user_data() / "models"


def assets_folder() -> Path:
    """Avatars and the demo clip."""
    return _shipped("assets")


def icons_folder() -> Path:
    """The app's icon in several sizes, and its desktop file."""
    return assets_folder() / "icons"


def shipped_avatars() -> Path:
    """The photos that came with the app."""
    return assets_folder() / "avatars"


def user_avatars() -> Path:
    """Where the user's own photos are kept. It need not exist yet."""
    return user_data() / "avatars"


def user_settings() -> Path:
    """The file that the user's settings are kept in. It need not exist yet."""
    return platformdirs.user_config_path("avatar-app", appauthor=False) / "settings.json"


def user_log() -> Path:
    """The log file, beside the settings. It need not exist."""
    return user_settings().with_name("avatar-app.log")


def user_neutrals() -> Path:
    """The file of the remembered neutral poses. It need not exist yet."""
    return user_data() / "neutral-poses.json"


def user_card_trials() -> Path:
    """The file of what came of trying the graphics card. It need not exist yet."""
    return user_data() / "graphics-card.json"


def server_folder() -> Path:
    """Where `serve` keeps its token and certificate. It need not exist yet."""
    return user_data() / "serve"

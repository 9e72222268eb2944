"""Paths of files that came with the app, and of the user's.

The user's need not exist yet.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """Return a folder that came with the app.

    Beside the package in a checkout, inside it once installed.
    """
    if (PACKAGE.parent / "setup.cfg").is_file():
        return PACKAGE.parent / name
    return PACKAGE / "bundled" / name


def program() -> str:
    """Return how the user starts the app in a terminal."""
    return "python run.py" if (PACKAGE.parent / "run.py").is_file() else "avatar-app"


def model_folders() -> tuple[Path, ...]:
    """Return the folders that hold bundles, in the order in which names are looked up."""
    return (_shipped("models"), user_models())


def user_data() -> Path:
    """Return the folder of the user's files."""
    return platformdirs.user_data_path("avatar-app", appauthor=False)


def user_models() -> Path:
    """Return the folder of imported and downloaded bundles."""
    return user_data() / "models"


def assets_folder() -> Path:
    """Return the folder of avatars and the demo clip."""
    return _shipped("assets")


def icons_folder() -> Path:
    """Return the folder of the app's icon in several sizes, and its desktop file."""
    return assets_folder() / "icons"


def shipped_avatars() -> Path:
    """Return the folder of the app's photos."""
    return assets_folder() / "avatars"


def user_avatars() -> Path:
    """Return the folder of the user's own photos."""
    return user_data() / "avatars"


def user_settings() -> Path:
    """Return the file of the user's settings."""
    return platformdirs.user_config_path("avatar-app", appauthor=False) / "settings.json"


def user_log() -> Path:
    """Return the log file, beside the settings."""
    return user_settings().with_name("avatar-app.log")


def user_neutrals() -> Path:
    """Return the file of the remembered neutral poses."""
    return user_data() / "neutral-poses.json"


def user_webgpu_trials() -> Path:
    """Return the file of trials of the graphics card."""
    return user_data() / "graphics-card.json"


def user_pytorch() -> Path:
    """Return the folder of PyTorch for an NVIDIA card."""
    return user_data() / "pytorch"


def user_graphs() -> Path:
    """Return the folder of graphs that ONNX Runtime has optimised.

    It may be deleted at any time.
    """
    return platformdirs.user_cache_path("avatar-app", appauthor=False) / "graphs"


def user_found_faces() -> Path:
    """Return the file of the faces found in photos; it may be deleted."""
    return platformdirs.user_cache_path("avatar-app", appauthor=False) / "faces.json"


def server_folder() -> Path:
    """Return the folder in which `serve` keeps its token and certificate."""
    return user_data() / "serve"

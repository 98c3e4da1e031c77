"""PyInstaller's way to farscope's hook: the entry point ``pyinstaller40`` leads here."""

from __future__ import annotations

from pathlib import Path


def hook_folders() -> list[str]:
    """Return the folders with hooks, as PyInstaller's interface for hooks of packages asks."""
    return [str(Path(__file__).parent)]

"""``farscope key``: create, show and rotate the key that seals everything."""

from __future__ import annotations

import os
from pathlib import Path

import click

from farscope.cli.style import say
from farscope.views.text import escape
from farscope.wire.keyfile import read_key_file
from farscope.wire.keys import KEY_FILE_VARIABLE, Keyring, default_key_path, new_key_file, rotate_key_file

_PATH = click.argument("path", required=False, type=click.Path(path_type=Path))


@click.group()
def key() -> None:
    """Create, show and rotate the key that seals everything.

    Anyone with the key can read what your charts do and can pose as one of them. Nobody else can do either.
    A key file holds one or more keys: the first one seals, all of them open.

    PATH is a key file. The default is FARSCOPE_KEY_FILE, or else your own.
    """


@key.command(short_help="Create a key file that only you can read.")
@_PATH
def new(path: Path | None) -> None:
    """Create a key file that only you can read.

    An existing file is left alone, with one exception: the key that farscope creates by itself for the log of
    this machine stays in the file, below the new key, so that what it sealed can still be opened.
    """
    target = _target(path)
    keyring = new_key_file(target)
    _say(f"made {target}")
    _tell(keyring)
    _say("to watch from another machine, copy this file there by a way you trust, and keep its mode 600")


@key.command(short_help="Show the fingerprints of the keys in a file.")
@_PATH
@click.option("--secret", is_flag=True, help="Print the keys themselves. Anyone who sees them can use them.")
def show(path: Path | None, *, secret: bool) -> None:
    """Show the fingerprints of the keys in a file; the first is the one that seals.

    A fingerprint tells keys apart and reveals nothing about them. Every sealed batch names the fingerprint of
    its key in clear.
    """
    target = _target(path)
    keyring = Keyring.load(target)
    if secret:
        for one in keyring.keys:
            say(one.reveal())
        return
    _say(str(target))
    _tell(keyring)
    if keyring.automatic:
        _say("made automatically, for the log of this machine only: a log that others can reach refuses it")


@key.command(short_help="Add a new key on top, or remove the old ones.")
@_PATH
@click.option(
    "--drop-old",
    is_flag=True,
    help="Remove all keys but the first, and add none: what the others sealed can no longer be read.",
)
def rotate(path: Path | None, *, drop_old: bool) -> None:
    """Add a new key on top of a key file, or remove the old ones with --drop-old.

    The old keys still open what they sealed until they are removed.

    Copy the file to every watcher first and then to every sender: running programs pick it up within seconds.
    When nothing sealed with the old keys is needed any more, rotate --drop-old removes them; the first key,
    which every sender has by then, stays.
    """
    target = _target(path)
    if not drop_old:
        keyring = rotate_key_file(target)
        _say(f"rotated {target}")
    else:
        before = read_key_file(target)
        keyring = rotate_key_file(target, drop_old=True)
        same = read_key_file(target) == before
        _say(f"nothing to drop: {target} holds one key" if same else f"dropped the old keys of {target}")
    _tell(keyring)


def _target(path: Path | None) -> Path:
    if path is not None:
        return path
    named = os.environ.get(KEY_FILE_VARIABLE)
    return Path(named) if named else default_key_path()


def _tell(keyring: Keyring) -> None:
    for position, name in enumerate(keyring.fingerprints):
        _say(f"  {name}  {'opens' if position else 'seals and opens'}")


def _say(line: str) -> None:
    # A path may contain anything, including control sequences.
    say(escape(line))

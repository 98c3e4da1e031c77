"""Opens the log at an address.

::

    memory:NAME
    sqlite:DIR?max_bytes=500MB&max_age=7d&readers=group     DIR may start with ~ and have escapes, %3F for a ?
    file:FILE, or the FILE alone              a recording, to be read only
    amqp://user:password@host:5672/vhost      RabbitMQ
    amqps://user:password@host:5671/vhost     RabbitMQ with TLS
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from farscope.errors import BadUrl, LogRefused, UsageError, install_hint
from farscope.logs.base import Log
from farscope.logs.embedded.access import OWNER
from farscope.logs.embedded.log import FolderLog
from farscope.logs.embedded.retention import DEFAULT_MAX_AGE_NS
from farscope.logs.embedded.retention import DEFAULT_MAX_BYTES as FOLDER_MAX_BYTES
from farscope.logs.memory import DEFAULT_MAX_BYTES as MEMORY_MAX_BYTES
from farscope.logs.memory import MemoryLog
from farscope.logs.recording.file import is_recording
from farscope.logs.recording.format import SUFFIX
from farscope.logs.recording.log import RecordingLog
from farscope.logs.units import parse_size, parse_span_ns

EXAMPLES: Final = "write an address like sqlite:~/charts, memory:test or amqps://user@host/"
DEFAULT_MEMORY_NAME: Final = "default"

_NO_RECORDING: Final = (
    "farscope record FILE.farscope makes one; export and sequence read text with trace lines too"
)

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_DRIVE = re.compile(r"/*([a-z]:.*)", re.IGNORECASE | re.DOTALL)
_USER_INFO = re.compile(r"(?P<user>[a-z][a-z0-9+.-]*://[^:/@?]*):.*@", re.IGNORECASE | re.DOTALL)
_USER_INFO_IN_TEXT = re.compile(r"(?P<user>[a-z][a-z0-9+.-]*://[^\s:/@?]*):\S*@", re.IGNORECASE)
_AUTHORITY = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)([^?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_SECRET_PARAMETER = re.compile(r"((?:^|[?&])[^=&]*(?:pass|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)


def open_log(url: str | None = None) -> Log:
    """Return the log at ``url`` without accessing it; None means ``default_url()``.

    Text that is not an address is taken as the name of a recording if it ends in ``.farscope`` or names an
    existing recording.

    Raises:
        BadUrl: the address is invalid.
        LogRefused: a package that the address needs is not installed.
    """
    address = default_url() if url is None else url.strip()
    match = _SCHEME.match(address)
    opener = SCHEMES.get(match[1].lower()) if match else None
    if opener is None and (address.endswith(SUFFIX) or is_recording(address)):
        return RecordingLog(_expanded(address))
    if match is None or opener is None:
        if _is_file(address):
            raise BadUrl(f"{address} is not a recording", _NO_RECORDING)
        raise BadUrl(f"the log's address {redacted(address)!r} cannot be understood", _hint_for(address))
    return opener(address, address[match.end() :])


def default_url() -> str:
    """Return ``FARSCOPE_URL``, else the embedded log in the user's state folder.

    Raises:
        BadUrl: the variable is not set, and the user has no home folder.
    """
    return os.environ.get("FARSCOPE_URL", "").strip() or "sqlite:" + quote(
        state_folder(os.environ, sys.platform).as_posix(), safe="/:~ "
    )


def state_folder(environ: Mapping[str, str], platform: str) -> Path:
    """Return the default folder of a user's embedded log on ``platform`` (as in ``sys.platform``).

    Raises:
        BadUrl: the user has no home folder, as in a container with an unnamed user.
    """
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = environ.get("XDG_STATE_HOME", "")
        if not base.startswith("/"):  # the XDG rules: what is not absolute is to be ignored
            base = "~/.local/state"
    try:
        return Path(base).expanduser() / "farscope" / "log"
    except RuntimeError as error:
        variable = {"win32": "LOCALAPPDATA", "darwin": "HOME"}.get(platform, "XDG_STATE_HOME or HOME")
        raise BadUrl(
            "there is no home folder to keep a log in",
            f"name a log in FARSCOPE_URL, or set {variable} to a folder that can be written to",
        ) from error


def redacted(url: str) -> str:
    """Return ``url`` without its password, so that it can be shown; accepts any text."""
    scheme, _, rest = url.partition(":")
    if "://" not in url and "@" in rest and scheme.lower() not in {"memory", "sqlite"}:
        url = f"***@{url.rpartition('@')[2]}"
    return _SECRET_PARAMETER.sub(r"\1***", _USER_INFO.sub(r"\g<user>:***@", url))


def redacted_text(text: str) -> str:
    """Return ``text`` with the passwords of the addresses in it removed."""
    return _USER_INFO_IN_TEXT.sub(r"\g<user>:***@", text) if "://" in text else text


def is_cut_in_password(url: str) -> bool:
    """Return whether the host part of an address may end in the middle of an unescaped password.

    A ``/``, ``?`` or ``#`` ends the host. In a password written without escapes, the text after such a
    character is therefore taken for a path, which is shown, and the text before it for a host or a port.
    """
    found = _AUTHORITY.match(url)
    if found is None:
        return False
    authority, path, rest = found.groups()
    return "@" in path or ("@" in rest and "@" not in authority)


def _open_memory(url: str, rest: str) -> Log:
    parts = _split(url, rest)
    return MemoryLog(
        unquote(parts.path) or DEFAULT_MEMORY_NAME,
        max_bytes=parts.size("max_bytes", MEMORY_MAX_BYTES),
        max_age_ns=parts.span("max_age", None),
    )


def _open_folder(url: str, rest: str) -> Log:
    parts = _split(url, rest, _FOLDER_PARAMETERS)
    return FolderLog(
        folder_of(parts.path, windows=sys.platform == "win32"),
        max_bytes=parts.size("max_bytes", FOLDER_MAX_BYTES),
        max_age_ns=parts.span("max_age", None) or DEFAULT_MAX_AGE_NS,
        readers=parts.parameters.get("readers") or OWNER,
    )


def _open_file(url: str, rest: str) -> Log:
    del url
    return RecordingLog(file_of(rest, windows=sys.platform == "win32"))


def _open_rabbitmq(url: str, rest: str) -> Log:
    del rest
    try:
        rabbitmq = importlib.import_module("farscope.logs.rabbitmq.log")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pika":
            raise
        raise LogRefused(
            f"the log {redacted(url)} needs the package pika", install_hint("rabbitmq")
        ) from error
    log: Log = rabbitmq.open(url)
    return log


SCHEMES: Final[dict[str, Callable[[str, str], Log]]] = {
    "memory": _open_memory,
    "sqlite": _open_folder,
    "amqp": _open_rabbitmq,
    "amqps": _open_rabbitmq,
    "file": _open_file,
}
"""Maps each scheme to the function that opens its log from the address and the part of it after the colon.

To add a kind of log, add a row here; nothing else outside its module needs to change.
"""


def folder_of(path: str, *, windows: bool) -> Path:
    """Return the folder named by the path of a ``sqlite:`` address.

    Raises:
        BadUrl: the path names no folder, or names another host.
    """
    return _local(path, "sqlite", "an embedded log is a folder", "DIR", windows=windows)


def file_of(path: str, *, windows: bool) -> Path:
    """Return the file named by the path of a ``file:`` address.

    Raises:
        BadUrl: the path names no file, or names another host.
    """
    return _local(path, "file", "a recording is a file", "run.farscope", windows=windows)


def _local(path: str, scheme: str, what: str, example: str, *, windows: bool) -> Path:
    if path.startswith("//"):
        host, slash, below = path[2:].partition("/")
        drive = windows and _DRIVE.fullmatch(host) is not None
        if not drive:
            if host not in {"", "localhost"}:
                raise BadUrl(
                    f"{scheme}:{path} names the host {host!r}",
                    f"{what} of this machine: {scheme}:{example} or {scheme}:///absolute/{example.lower()}",
                )
            path = slash + below
    text = unquote(path)
    if windows and (match := _DRIVE.fullmatch(text)):
        text = match[1]
    if not text or "\0" in text:
        kind = what.rpartition(" ")[2]
        raise BadUrl(
            f"the address {scheme}: names no {kind}",
            f"write {scheme}:{example}, for example {scheme}:~/{'charts' if scheme == 'sqlite' else example}",
        )
    return _expanded(text)


def _expanded(path: str) -> Path:
    if "\0" in path:
        raise BadUrl("the name of a file with a null character in it", "leave it out")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise BadUrl(f"the home folder in {path} is not known", "write an absolute path") from error


class _Parts(NamedTuple):
    url: str
    path: str
    parameters: Mapping[str, str]

    def size(self, name: str, default: int) -> int:
        text = self.parameters.get(name)
        return default if text is None else self._parsed(name, parse_size, text)

    def span(self, name: str, default: int | None) -> int | None:
        text = self.parameters.get(name)
        return default if text is None else self._parsed(name, parse_span_ns, text)

    def _parsed(self, name: str, parse: Callable[[str], int], text: str) -> int:
        try:
            value = parse(text)
        except UsageError as error:
            raise BadUrl(f"{name} in {redacted(self.url)}: {error.message}", error.hint) from error
        if value <= 0:
            raise BadUrl(
                f"{name} in {redacted(self.url)} must be more than nothing", "leave it out for the default"
            )
        return value


_PARAMETERS: Final = ("max_age", "max_bytes")
_FOLDER_PARAMETERS: Final = (*_PARAMETERS, "readers")


def _split(url: str, rest: str, known: Sequence[str] = _PARAMETERS) -> _Parts:
    path, _, query = rest.partition("?")
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise BadUrl(
                f"{redacted(url)} has the unknown parameter {name!r}",
                f"known are {' and '.join(known)}; a ? in a folder's name is written %3F",
            )
        if name in parameters:
            raise BadUrl(f"{redacted(url)} gives {name} twice", "leave one out")
        parameters[name] = value
    return _Parts(url, path, parameters)


def _is_file(address: str) -> bool:
    try:
        return Path(address).is_file()
    except (OSError, ValueError):
        return False


def _hint_for(address: str) -> str:
    if not address:
        return EXAMPLES
    looks_like_folder = address.startswith(("/", "./", "../", "~")) or "\\" in address
    # With an @ it could hold a password, which a hint must not repeat.
    if looks_like_folder and "@" not in address:
        return f"for a folder write sqlite:{address}"
    return EXAMPLES

"""All exceptions that farscope raises deliberately.

::

    FarscopeError
    ├── ChartError                  a chart is built or used incorrectly
    │   ├── ChartBuildError         unknown parent, a loop, a duplicate state
    │   ├── NotAState               the target of a transition or start is not a state
    │   ├── InitLeavesState         an initial transition leads out of its state
    │   ├── NoStatus                a handler returned nothing, or not a status
    │   ├── NotStarted              the chart was used before its start
    │   ├── UnknownSignal           no signal has the name looked up
    │   ├── AlreadyStarted          the chart was changed or started after its start
    │   ├── ChartStopped            the chart was used after its end
    │   ├── SnapshotError           a chart cannot be saved, or not restored from what was saved
    │   ├── ForeignProcess          used in a forked child, but its thread or loop is in the parent
    │   └── QueueFull               a post found the queue full
    ├── KeyringError                keys and key files
    │   ├── NoKey                   no key was given, and none may be generated
    │   ├── KeyFileUnsafe           others can read the file, or it is not a regular file
    │   ├── BadKey                  not 32 bytes in URL-safe base64
    │   └── PublicKey               the key printed in the miros example
    ├── WireError                   received bytes that are not a valid batch
    │   ├── Malformed               not a batch, or a batch that breaks the format
    │   ├── UnsupportedVersion      a batch of another format version
    │   ├── UnsupportedSuite        a batch sealed in a way this release does not know
    │   ├── WrongKey                sealed with a key that is not in the keyring
    │   ├── Tampered                the seal is invalid
    │   └── BatchTooLarge           a batch exceeds a limit; raised while writing
    ├── LogError                    a log cannot be used
    │   ├── BadUrl                  the address is invalid
    │   ├── LogUnavailable          temporarily unavailable; retrying may help
    │   └── LogRefused              refused until somebody changes something
    │       └── LogMissing          it was never set up, or no longer exists
    ├── ScopeError                  a scope cannot answer a request
    │   ├── UnknownChart            no chart with that name was seen
    │   └── AmbiguousChart          several charts with that name were seen
    ├── NotDelivered                an export did not completely reach the other program
    ├── UsageError                  invalid arguments of a command or call
    └── Invariant                   should never happen; a bug in farscope

Messages start in lower case and end without a full stop; ``hint`` suggests a remedy.
"""

from __future__ import annotations


class FarscopeError(Exception):
    """Base class of all errors; ``hint`` is a sentence with a remedy, possibly empty."""

    exit_code = 1
    """Exit code of the command line for this error."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ChartError(FarscopeError):
    """A chart is built or used incorrectly; ``state`` names the state concerned, or is empty."""

    def __init__(self, message: str, hint: str = "", *, state: str = "") -> None:
        super().__init__(message, hint)
        self.state = state


class ChartBuildError(ChartError):
    """A chart's parts do not fit: unknown parent, a loop of parents, a state defined twice."""


class NotAState(ChartError):
    """The target of a start or a transition is not a state."""


class InitLeavesState(ChartError):
    """An initial transition must lead to a state inside the one it belongs to."""


class NoStatus(ChartError):
    """A handler returned something that is not a return status."""


class NotStarted(ChartError, AttributeError):
    """A chart was used before its start; to ``hasattr`` and ``getattr``, the attribute is missing."""


class UnknownSignal(ChartError, KeyError):
    """No signal has the name that was looked up."""

    __str__ = ChartError.__str__


class AlreadyStarted(ChartError):
    """A chart was started twice, or changed after its start."""


class ChartStopped(ChartError):
    """A chart was used after its end."""


class SnapshotError(ChartError):
    """No snapshot can be made of a chart, or a snapshot does not fit the chart that is to be restored."""


class ForeignProcess(ChartError):
    """A chart, runner or clock was used in a forked child, but its thread or loop stayed in the parent.

    ``pid`` is the id of the process that runs it.
    """

    def __init__(self, message: str, hint: str = "", *, pid: int = 0) -> None:
        super().__init__(message, hint)
        self.pid = pid


class QueueFull(ChartError):
    """A post found the chart's queue full; ``capacity`` is in events."""

    def __init__(self, message: str, hint: str = "", *, capacity: int = 0) -> None:
        super().__init__(message, hint)
        self.capacity = capacity


class KeyringError(FarscopeError):
    """A problem with keys or key files; its message never contains a key."""

    exit_code = 3


class NoKey(KeyringError):
    """No key was given where one must be created deliberately."""


class KeyFileUnsafe(KeyringError):
    """A key file that others can read or replace, or that is not a regular file; ``path`` is its path."""

    def __init__(self, message: str, hint: str = "", *, path: str = "") -> None:
        super().__init__(message, hint)
        self.path = path


class BadKey(KeyringError):
    """A key that is not 32 bytes in URL-safe base64."""


class PublicKey(KeyringError):
    """The key printed in the miros example, which is publicly known."""


class WireError(FarscopeError):
    """Bytes from a log that are not a valid batch."""


class Malformed(WireError):
    """Not a batch, or one that breaks the format or its limits."""


class UnsupportedVersion(WireError):
    """A batch with a format version that this release cannot read; ``version`` is its number."""

    def __init__(self, message: str, hint: str = "", *, version: int = 0) -> None:
        super().__init__(message, hint)
        self.version = version


class UnsupportedSuite(WireError):
    """A batch was sealed with a suite that this release does not know; ``suite`` is its number."""

    def __init__(self, message: str, hint: str = "", *, suite: int) -> None:
        super().__init__(message, hint)
        self.suite = suite


class WrongKey(WireError):
    """A batch sealed with a key that is not in the keyring; ``fingerprint`` is that key's, in hex."""

    def __init__(self, message: str, hint: str = "", *, fingerprint: str = "") -> None:
        super().__init__(message, hint)
        self.fingerprint = fingerprint


class Tampered(WireError):
    """The seal is invalid: the header or body was changed after sealing."""


class BatchTooLarge(WireError):
    """A batch exceeds a limit; raised while encoding, never while reading."""


class LogError(FarscopeError):
    """A log cannot be used; its messages never show a password."""

    exit_code = 4


class BadUrl(LogError):
    """An invalid address."""


class LogUnavailable(LogError):
    """The log cannot be reached or written at the moment; retrying may help.

    ``refused``: something that worked before, such as a login, is now refused. Retrying helps only after
    somebody has undone the change, but is done anyway.
    """

    def __init__(self, message: str, hint: str = "", *, refused: bool = False) -> None:
        super().__init__(message, hint)
        self.refused = refused


class LogRefused(LogError):
    """The log refuses this until somebody changes something: permissions, settings or a password."""


class LogMissing(LogRefused):
    """A part of the log does not exist, and this user may not create it.

    ``begins_anew``: the container of the batches is certainly gone; a later one with its name is a new one.
    """

    def __init__(self, message: str, hint: str = "", *, begins_anew: bool = False) -> None:
        super().__init__(message, hint)
        self.begins_anew = begins_anew


class ScopeError(FarscopeError):
    """A scope cannot answer a request."""


class UnknownChart(ScopeError):
    """No chart with that name was seen; ``name`` is the requested name."""

    def __init__(self, message: str, hint: str = "", *, name: str = "") -> None:
        super().__init__(message, hint)
        self.name = name


class AmbiguousChart(ScopeError):
    """Several charts match the name; ``labels`` are their labels, each of which is unambiguous."""

    def __init__(self, message: str, hint: str = "", *, labels: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.labels = labels


class NotDelivered(FarscopeError):
    """An export to another program did not arrive there, or not completely."""


class UsageError(FarscopeError):
    """Arguments that are invalid, by themselves or in combination."""

    exit_code = 2


def install_hint(extra: str) -> str:
    """Return the hint for a feature that needs an optional extra of farscope.

    It names the extra rather than packages, whose names and versions are defined in one place.
    """
    return f"in farscope's folder: pip install '.[{extra}]'; of a wheel: 'WHEEL[{extra}]'"


class Invariant(FarscopeError):
    """An internal error, which should never happen: a bug in farscope, please report it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "this is a bug in farscope; please report it with what led to it")

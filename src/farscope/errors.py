"""Everything farscope raises on purpose.

::

    FarscopeError
    ├── ChartError                  a chart is built or used wrongly
    │   ├── ChartBuildError         unknown parent, a loop, the same state twice
    │   ├── NotAState               a transition or start to something that is no state
    │   ├── InitLeavesState         an initial transition to a state outside
    │   ├── NoStatus                a handler returned nothing, or no status
    │   ├── NotStarted              used before its start
    │   ├── UnknownSignal           a signal's name is looked up, and there is none
    │   ├── AlreadyStarted          changed or started after its start
    │   ├── ChartStopped            used after its end
    │   ├── ForeignProcess          used in a forked child, while its thread or loop is the parent's
    │   └── QueueFull               a post found no room
    ├── KeyringError                keys and key files
    │   ├── NoKey                   none was given, and none may be made up
    │   ├── KeyFileUnsafe           others can read it, or it is not a regular file
    │   ├── BadKey                  not 32 bytes in URL-safe base64
    │   └── PublicKey               the key printed in the miros example
    ├── WireError                   bytes that cannot be taken
    │   ├── Malformed               not a batch, or a batch that breaks the format
    │   ├── UnsupportedVersion      a batch of another format version
    │   ├── WrongKey                sealed with a key we do not hold
    │   ├── Tampered                the seal does not hold
    │   └── BatchTooLarge           more than one batch may hold; on the writer's side
    ├── LogError                    a log cannot be used
    │   ├── BadUrl                  the address cannot be understood
    │   ├── LogUnavailable          not now; trying again may help
    │   └── LogRefused              not like this; somebody has to change something
    │       └── LogMissing          it was not set up, or is there no more
    ├── ScopeError
    │   ├── UnknownChart            no chart of that name was seen
    │   └── AmbiguousChart          several were
    ├── NotDelivered                what was exported did not all reach the other program
    ├── UsageError                  a command or call with arguments that make no sense
    └── Invariant                   cannot happen; a bug in farscope

Messages start in lower case and end without a full stop; ``hint`` says what to do.
"""

from __future__ import annotations


class FarscopeError(Exception):
    """Base of all errors; ``hint`` is one sentence with the remedy, possibly empty."""

    exit_code = 1
    """What the command line returns for it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ChartError(FarscopeError):
    """A chart is built or used wrongly; ``state`` names the state concerned, or is empty."""

    def __init__(self, message: str, hint: str = "", *, state: str = "") -> None:
        super().__init__(message, hint)
        self.state = state


class ChartBuildError(ChartError):
    """A chart's parts do not fit: unknown parent, a loop of parents, a state defined twice."""


class NotAState(ChartError):
    """A start or a transition was asked to go to something that is no state."""


class InitLeavesState(ChartError):
    """An initial transition must lead to a state inside the one it belongs to."""


class NoStatus(ChartError):
    """A handler returned something that is no return status."""


class NotStarted(ChartError, AttributeError):
    """A chart was used before its start; for ``hasattr`` and ``getattr`` it has no state yet."""


class UnknownSignal(ChartError, KeyError):
    """A signal was looked up by a name that none has."""

    __str__ = ChartError.__str__


class AlreadyStarted(ChartError):
    """A chart was started twice, or changed after its start."""


class ChartStopped(ChartError):
    """A chart was used after its end."""


class ForeignProcess(ChartError):
    """A chart, runner or clock was used in a forked child, while what runs it stayed in the parent.

    ``pid`` is that of the process that runs it.
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
    """Something about keys or key files; never carries a key."""

    exit_code = 3


class NoKey(KeyringError):
    """No key was given where one must be made on purpose."""


class KeyFileUnsafe(KeyringError):
    """A key file that others can read or replace, or that is not a regular file; ``path`` names it."""

    def __init__(self, message: str, hint: str = "", *, path: str = "") -> None:
        super().__init__(message, hint)
        self.path = path


class BadKey(KeyringError):
    """A key that is not 32 bytes in URL-safe base64."""


class PublicKey(KeyringError):
    """The key printed in the miros example: everybody has it."""


class WireError(FarscopeError):
    """Bytes from a log that cannot be taken as a batch."""


class Malformed(WireError):
    """Not a batch, or one that breaks the format or its limits."""


class UnsupportedVersion(WireError):
    """A batch of a format version this release does not read; ``version`` is that number."""

    def __init__(self, message: str, hint: str = "", *, version: int = 0) -> None:
        super().__init__(message, hint)
        self.version = version


class WrongKey(WireError):
    """Sealed with a key we do not hold; ``fingerprint`` is that key's, in hex."""

    def __init__(self, message: str, hint: str = "", *, fingerprint: str = "") -> None:
        super().__init__(message, hint)
        self.fingerprint = fingerprint


class Tampered(WireError):
    """The seal does not hold: header or body were changed after sealing."""


class BatchTooLarge(WireError):
    """More than one batch may hold; raised while encoding, never while reading."""


class LogError(FarscopeError):
    """A log cannot be used; its messages never show a password."""

    exit_code = 4


class BadUrl(LogError):
    """An address that cannot be understood."""


class LogUnavailable(LogError):
    """The log cannot be reached or written at the moment; trying again may help.

    ``refused``: it was in use before and is refused now, such as a login; it helps only when somebody has
    changed something back, and is tried again all the same.
    """

    def __init__(self, message: str, hint: str = "", *, refused: bool = False) -> None:
        super().__init__(message, hint)
        self.refused = refused


class LogRefused(LogError):
    """The log will not do this until somebody changes something: permissions, settings, a password."""


class LogMissing(LogRefused):
    """A part of the log is not there, and this user may not make it.

    ``begins_anew``: what holds the batches is certainly gone, so that the next one of its name is another.
    """

    def __init__(self, message: str, hint: str = "", *, begins_anew: bool = False) -> None:
        super().__init__(message, hint)
        self.begins_anew = begins_anew


class ScopeError(FarscopeError):
    """Something asked of a scope that it cannot answer."""


class UnknownChart(ScopeError):
    """No chart of that name was seen; ``name`` is what was asked for."""

    def __init__(self, message: str, hint: str = "", *, name: str = "") -> None:
        super().__init__(message, hint)
        self.name = name


class AmbiguousChart(ScopeError):
    """Several charts answer to the name; ``labels`` are theirs, each of which is unambiguous."""

    def __init__(self, message: str, hint: str = "", *, labels: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.labels = labels


class NotDelivered(FarscopeError):
    """Something exported to another program did not arrive there, or not all of it."""


class UsageError(FarscopeError):
    """Arguments that make no sense together or at all."""

    exit_code = 2


def install_hint(extra: str) -> str:
    """Return the hint for something that needs an optional part of farscope.

    It names the extra rather than packages: which ones, in which versions, is decided in one place.
    """
    return f"in farscope's folder: pip install '.[{extra}]'; of a wheel: 'WHEEL[{extra}]'"


class Invariant(FarscopeError):
    """Something that cannot happen did: a bug in farscope, please report it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "this is a bug in farscope; please report it with what led to it")

"""Records of ``logging`` as facts of the steps they are made in, and steps named in log files."""

from __future__ import annotations

import logging
import traceback
from threading import get_ident
from typing import Final

from farscope.errors import UsageError
from farscope.records.current_step import StepContext, StepOwner, current_step

OWN_LOGGER: Final = "farscope"
"""Records of this logger, and of those below it, are farscope's and never become facts."""


class StepFilter(logging.Filter):
    """Adds ``chart``, ``state`` and ``step`` to log records, so that log files can be compared with steps.

    Add it to a handler: ``handler.addFilter(StepFilter())``. A format may then have ``%(chart)s``,
    ``%(state)s`` and ``%(step)d``: the name of the chart whose step the record's thread runs, the state whose
    code is running, and the number of the step. Outside of recorded steps they are ``""``, ``""`` and 0.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes, and let every record pass."""
        context = current_step()
        owner = None if context is None else context.owner()
        if context is None or owner is None:
            record.chart, record.state, record.step = "", "", 0
        else:
            record.chart, record.state, record.step = owner.name, owner.acting_state(), context.number + 1
        return True


class StepHandler(logging.Handler):
    """Adds the records that a chart's sinks want to the running step. Takes no lock, and writes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._busy: set[int] = set()
        """Identifiers of the threads on which a record is being added: an argument of a message may log."""

    def createLock(self) -> None:  # noqa: N802 - overrides a method of ``logging``
        """Create no lock: each record only concerns the step of its own thread."""
        self.lock = None

    def _at_fork_reinit(self) -> None:
        """Do nothing: there is no lock."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Add a record to the step, and pass it on if no other handler of the program receives it."""
        self.emit(record)
        if len(logging.root.handlers) == 1:
            self._stand_aside(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record to the running step of the calling thread."""
        context = current_step()
        if context is None or record.name.partition(".")[0] == OWN_LOGGER:
            return
        owner = _interested(context, record.levelno)
        ident = get_ident()
        if owner is None or ident in self._busy:
            return
        self._busy.add(ident)
        try:
            owner.add_log(record.name, record.levelname, _text(record))
        finally:
            self._busy.discard(ident)

    def _stand_aside(self, record: logging.LogRecord) -> None:
        """Do what ``logging`` does with the records of a program without handlers."""
        last = logging.lastResort
        if last is None or record.levelno < last.level:
            return
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger is not logging.root:
            if logger.handlers:
                return
            logger = logger.parent
        last.handle(record)


_handler: Final = StepHandler()
_holders: set[int] = set()


def hold_handler(holder: object) -> None:
    """Have records added to steps until ``release_handler`` is called with the same ``holder``.

    Until then the root logger has one more handler.
    """
    _holders.add(id(holder))
    # No effect if it is there already.
    logging.root.addHandler(_handler)


def release_handler(holder: object) -> None:
    """Remove the handler with its last holder; no effect if ``holder`` does not hold it."""
    if id(holder) not in _holders:
        return
    _holders.discard(id(holder))
    if not _holders:
        logging.root.removeHandler(_handler)
        if _holders:
            # Held again in the meantime. Without a lock, because this may run in a signal handler.
            logging.root.addHandler(_handler)


def level_number(level: str | int) -> int:
    """Return the number of a level of ``logging``, given by number or name.

    Raises:
        UsageError: there is no such level.
    """
    names = logging.getLevelNamesMapping()
    number = names.get(level.upper()) if isinstance(level, str) else level
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise UsageError(
            f"log records have no level {level!r}", f"give logs= one of {', '.join(names)}, or a number"
        )
    return number


def _interested(context: StepContext | None, level: int) -> StepOwner | None:
    """Return the innermost chart with a running step whose sinks want records of this level."""
    while context is not None:
        owner = context.owner()
        if owner is not None and level >= owner.log_level:
            return owner
        context = context.outer
    return None


def _text(record: logging.LogRecord) -> str:
    """Return the message of a record, followed by the traceback if it has one."""
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 - the arguments do not fit: the program's handlers report it
        message = f"{record.msg} ({type(error).__name__}: {error})"
    if record.exc_info and record.exc_info[1] is not None:
        message += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
    return message

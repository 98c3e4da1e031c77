"""Private networks (Linux, root): namespaces, links between them, and links that lose and delay.

A namespace lives as long as a process that holds it, and that process no longer than the program that
started it. So nothing is left behind, however a test ends, and no address here is known outside.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from farscope.errors import FarscopeError
from farscope.testing.waiting import eventually

NEW_NETWORK = 0x40000000
NEW_HOST_NAME = 0x04000000
OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network of its own, at first with nothing but a loopback interface; used by one thread."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            FarscopeError: it cannot be made here.
        """
        before = Path(OWN).readlink()
        self._holder = subprocess.Popen(
            ["unshare", "--net", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            eventually(lambda: self._made(before))
            with self.entered():
                run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """A process that lives in it, which tools name it by."""
        return self._holder.pid

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread live there for as long as the block lasts, and what it starts for ever."""
        own = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _go(there)
            try:
                yield
            finally:
                _go(own)
        finally:
            os.close(own)
            os.close(there)

    def close(self) -> None:
        """Let go of it: it ends with the last process in it."""
        if self._holder.stdin is not None:
            self._holder.stdin.close()
        if self._holder.stderr is not None:
            self._holder.stderr.close()
        self._holder.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _made(self, before: Path) -> bool:
        if self._holder.poll() is None:
            return Path(f"/proc/{self.pid}/ns/net").readlink() != before
        said = self._holder.stderr.read().decode(errors="replace") if self._holder.stderr else ""
        raise FarscopeError(f"no network namespace can be made: {said.strip()}")


def link(one: Namespace, name: str, other: Namespace, other_name: str) -> None:
    """Join two namespaces by a pair of interfaces of these names, without addresses yet.

    Raises:
        FarscopeError: the system does not allow it.
    """
    with one.entered():
        run(
            *("ip", "link", "add", name, "type", "veth"),
            *("peer", "name", other_name, "netns", str(other.pid)),
        )


def address(namespace: Namespace, name: str, own: str, peer: str, *reached: str) -> None:
    """Give an interface an address, and lead to ``peer`` and to the addresses ``reached`` through it."""
    with namespace.entered():
        run("ip", "address", "add", own, "peer", peer, "dev", name)
        run("ip", "link", "set", name, "up")
        for far in reached:
            run("ip", "route", "add", far, "dev", name)


def own_host_name(name: str) -> None:
    """Give this process, and those it starts, a host name that nobody else sees.

    Raises:
        OSError: not allowed.
    """
    _check(_libc.unshare(NEW_HOST_NAME))
    socket.sethostname(name)


def why_not() -> str:
    """Return why there can be no namespaces here; empty if there can."""
    missing = [tool for tool in ("ip", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} not found"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if not Path(OWN).exists():
        return "no /proc"
    try:
        with Namespace() as one, Namespace() as other:
            link(one, "try0", other, "try1")
    except (FarscopeError, OSError) as error:
        return str(error)
    return ""


def run(*words: str) -> None:
    """Run a program of the system.

    Raises:
        FarscopeError: it failed; the message is what it said.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FarscopeError(f"{' '.join(words)}: {done.stderr.strip()}")


def _go(network: int) -> None:
    _check(_libc.setns(network, NEW_NETWORK))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""A private RabbitMQ node, for tests that need a real broker and want to break it.

The node shares nothing with any other broker on the machine: it has its own folder, name, cookie,
ports and port mapper (epmd), and listens on the loopback interface unless told otherwise. It ends with the
program that started it, however that ends.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urlencode

from farscope.errors import FarscopeError, LogUnavailable
from support.held_port import LOOPBACK, HeldPort
from support.subprocess_guard import Keeper

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's start script itself; the wrapper in /usr/sbin would change to the system's own broker's user."""

CONTROL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")

START_TIMEOUT_S = 90.0
"""A start takes about seven seconds on an idle machine; beyond this it fails and shows the node's log."""

CONTROL_TIMEOUT_S = 60.0
"""rabbitmqctl takes one to three seconds; beyond this it is taken for hanging."""

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class TlsFiles(NamedTuple):
    """Certificates in PEM files: the authority's, and the broker's own with its key."""

    authority: Path
    certificate: Path
    key: Path


def available() -> bool:
    """Whether a private broker can be started here."""
    return os.access(SERVER, os.X_OK) and os.access(CONTROL, os.X_OK)


class Broker:
    """A private RabbitMQ node; used by one thread, as a context manager or with ``start`` and ``stop``.

    Args:
        folder: an empty folder of its own; data and logs stay there until the caller removes it.
        address: where it listens for clients; another one than the loopback's only in a network of its own.
        tls: certificates; with them the node listens on ``tls_port`` too.
        feature_flags: the only feature flags a new node gets; None means all there are. Without
            ``stream_queue`` it behaves like a broker from before there were streams.

    ``user`` and ``password`` are an administrator's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str = LOOPBACK,
        tls: TlsFiles | None = None,
        feature_flags: tuple[str, ...] | None = None,
    ) -> None:
        self.folder = folder
        self.address = address
        # Held until the end: the node listens on the first two, and on the same ones after a restart.
        self._ports = [HeldPort(address), HeldPort(address), HeldPort(), HeldPort()]
        self.port, self.tls_port, self._epmd_port, self._dist_port = (port.number for port in self._ports)
        self.user = "owner"
        self.password = secrets.token_urlsafe(12)
        self._tls = tls
        self._feature_flags = feature_flags
        self._node = f"farscope{self.port}@localhost"
        self._keeper: Keeper | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process of the node.

        Raises:
            FarscopeError: it does not run.
        """
        if not self._pid:
            raise FarscopeError("the private broker does not run", "call start() first")
        return self._pid

    @property
    def data(self) -> Path:
        """Where the node keeps what it stores, the streams' segment files included."""
        return self.folder / "data"

    def url(
        self,
        user: str | None = None,
        password: str | None = None,
        *,
        vhost: str = "/",
        tls: bool = False,
        port: int | None = None,
        **query: str | int,
    ) -> str:
        """Return a farscope URL of this node, the administrator's unless told otherwise."""
        name = quote(user or self.user, safe="")
        secret = quote(self.password if password is None else password, safe="")
        scheme = "amqps" if tls else "amqp"
        port = port or (self.tls_port if tls else self.port)
        end = f"?{urlencode(query)}" if query else ""
        return f"{scheme}://{name}:{secret}@{self.address}:{port}/{quote(vhost, safe='')}{end}"

    def start(self) -> None:
        """Start the node, on the data of an earlier run if there was one, and wait until it answers.

        Raises:
            LogUnavailable: it ended or did not answer in time; the hint is the end of its log.
        """
        for port in self._ports:
            port.hold()
        self._configure()
        environment = self._environment()
        output = self.folder / "output.txt"
        if self._keeper is None:
            self._keeper = Keeper()
            mapper = ["epmd", "-port", str(self._epmd_port), "-address", LOOPBACK]
            epmd = self._keeper.start(mapper, environment, output)
            self._wait_for("the port mapper", epmd, lambda: _listens(LOOPBACK, self._epmd_port))
        self._pid = self._keeper.start([SERVER], environment, output)
        self._wait_for("the broker", self._pid, self.answers)
        if self._tls is not None:
            # The node listens for clients with TLS last.
            self._wait_for("TLS", self._pid, lambda: _listens(self.address, self.tls_port))

    def answers(self) -> bool:
        """Whether the node greets a client at the moment."""
        try:
            with socket.create_connection((self.address, self.port), timeout=2) as connection:
                connection.sendall(PROTOCOL_HEADER)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self) -> None:
        """Stop node and port mapper, and wait for their ends; stopping twice changes nothing."""
        if self._keeper is not None:
            self._end(orderly=True)
            self._keeper.close()
            self._keeper = None
        for port in self._ports:
            port.release()

    def kill(self) -> None:
        """End the node as a crash would (``kill -9``) and wait for its end; ``start`` brings it back."""
        self._end(orderly=False)

    def freeze(self) -> None:
        """Stop the node's process in its tracks (SIGSTOP): connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen node go on."""
        os.kill(self.pid, signal.SIGCONT)

    def memory_alarm(self, *, on: bool) -> None:
        """Make the node block everybody who publishes, as it does when memory runs short; or end that."""
        self.control("set_vm_memory_high_watermark", *(("absolute", "1") if on else ("0.4",)))

    def add_user(self, name: str, password: str, *, configure: str, write: str, read: str) -> None:
        """Add a user with permissions in the default vhost, each a regular expression over names."""
        self.add_users({name: (configure, write, read)}, password)

    def add_users(self, rights: Mapping[str, tuple[str, str, str]], password: str) -> None:
        """Add users, each with patterns of what it may configure, write and read in the default vhost."""
        calls = []
        for name, patterns in rights.items():
            calls.append(_call("add_user", name, password, "tests"))
            calls.append(_call("set_permissions", name, "/", *patterns, "tests"))
        self._evaluate(calls)

    def delete_users(self, *names: str) -> None:
        """Delete users."""
        self._evaluate([_call("delete_user", name, "tests") for name in names])

    def _evaluate(self, calls: Sequence[str]) -> None:
        """Call functions of the node: one start of rabbitmqctl, which takes a second, for all of them."""
        self.control("eval", ", ".join(f"ok = {call}" for call in calls) + ".")

    def control(self, *words: str) -> str:
        """Run ``rabbitmqctl`` against this node and return what it printed.

        Raises:
            FarscopeError: it failed; the hint is what it said.
        """
        done = subprocess.run(
            [CONTROL, "-n", self._node, "--quiet", *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONTROL_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise FarscopeError(f"rabbitmqctl {words[0]} failed", (done.stderr or done.stdout).strip())
        return done.stdout

    def _end(self, *, orderly: bool) -> None:
        if self._keeper is not None and self._pid:
            self._keeper.end(self._pid, orderly=orderly)
        self._pid = 0

    def _wait_for(self, what: str, pid: int, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            if time.monotonic() > deadline or not (self._keeper and self._keeper.running(pid)):
                tail = self._log_tail()
                self.stop()
                raise LogUnavailable(f"{what} for the tests did not start", tail)
            time.sleep(0.05)

    def _log_tail(self) -> str:
        output = self.folder / "output.txt"
        return output.read_text(errors="replace")[-2000:] if output.exists() else ""

    def _configure(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        (self.folder / "home").mkdir(exist_ok=True)
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
        lines = [
            f"listeners.tcp.1 = {self.address}:{self.port}",
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            "disk_free_limit.absolute = 10MB",
            "log.console = true",
            "log.console.level = warning",
            "log.file = false",
        ]
        if self._tls is not None:
            lines += [
                f"listeners.ssl.1 = {self.address}:{self.tls_port}",
                f"ssl_options.cacertfile = {self._tls.authority}",
                f"ssl_options.certfile = {self._tls.certificate}",
                f"ssl_options.keyfile = {self._tls.key}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = false",
            ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "environment").touch()

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        environment = {
            "PATH": os.environ.get("PATH", os.defpath) + ":/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 2:2 +SDio 4 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            # The script then becomes the node instead of waiting for it: one process, whose number we know.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        if self._feature_flags is not None:
            environment["RABBITMQ_FEATURE_FLAGS"] = ",".join(self._feature_flags)
        return environment


def _call(function: str, *texts: str) -> str:
    """Return a call, in Erlang, of the node's own store of users with binary strings."""
    return (
        f"rabbit_auth_backend_internal:{function}({', '.join(f'<<{json.dumps(text)}>>' for text in texts)})"
    )


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False

"""Real servers that fork: each worker's steps are stored and it says goodbye. The page has the programs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from farscope.logs.url import open_log
from farscope.testing.waiting import eventually
from farscope.wire.envelope import Flags
from support.held_port import HeldPort

PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "servers.md"
REQUESTS = 20
BIN = Path(sys.executable).parent


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None and not (BIN / module).exists(),
        reason=f"{module} IS NOT INSTALLED: pip install '.[servers]' (uWSGI: '.[uwsgi]')",
    )


class Site:
    """A folder with the page's programs, a log, and what was stored in it."""

    def __init__(self, folder: Path, open_all, keyring, port: int) -> None:
        self.folder, self._open_all, self._keyring = folder, open_all, keyring
        self.url = f"sqlite:{folder / 'log'}"
        (folder / "key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
        (folder / "key").chmod(0o600)
        for name, body in re.findall(
            r"^```python (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
        ):
            (folder / name).write_text(body)
        self.port = port

    @contextlib.contextmanager
    def serving(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        said = (self.folder / "said.txt").open("wb")
        server = subprocess.Popen(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env=os.environ
            | {"FARSCOPE_URL": self.url, "FARSCOPE_KEY_FILE": str(self.folder / "key")}
            | {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.folder)}
            | environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)
                server.wait()
                said.close()

    def ask(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
            return answer.read().decode()

    def ask_until_up(self) -> None:
        def up() -> bool:
            try:
                self.ask()
            except OSError:
                return False
            return True

        eventually(up, timeout_s=30)

    def opened(self):
        reader = open_log(self.url).reader(since_ns=0)
        try:
            return self._open_all([entry.data for entry in reader.read(0, limit=100_000)], self._keyring)
        finally:
            reader.close()

    def steps_and_goodbyes(self) -> tuple[int, int, int]:
        opened = self.opened()
        steppers = {id_ for id_, batch in zip(opened.probes, opened.batches, strict=True) if batch.steps}
        gone = {id_ for id_, flags in zip(opened.probes, opened.flags, strict=True) if flags & Flags.GOODBYE}
        return len(opened.numbers), len(steppers), len(steppers & gone)


@pytest.fixture
def site(tmp_path, kit, keyring) -> Iterator[Site]:
    with HeldPort() as port:
        yield Site(tmp_path, kit.open_all, keyring, port.number)


SERVERS = {
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} --workers 2 site_app:app",
    "gunicorn, preloaded": "gunicorn --bind 127.0.0.1:{port} --workers 2 --preload site_app:app",
    "gunicorn, gevent": "gunicorn --bind 127.0.0.1:{port} --workers 2 --worker-class gevent site_app:app",
    "uWSGI, no hooks": "uwsgi --http-socket 127.0.0.1:{port} --master --die-on-term --processes 2"
    " --enable-threads --module site_app:app",
    "uWSGI, each loads": "uwsgi --http-socket 127.0.0.1:{port} --master --die-on-term --processes 2"
    " --enable-threads --lazy-apps --module site_app:app",
}


@pytest.mark.soak
@pytest.mark.parametrize(
    "command",
    [pytest.param(command, marks=[needs(command.split()[0])], id=name) for name, command in SERVERS.items()],
)
def test_behind_a_server_that_forks_each_request_is_seen_and_each_worker_says_goodbye(site, command):
    with site.serving(*command.format(port=site.port).split()):
        site.ask_until_up()
        if "--lazy-apps" in command:
            # uWSGI cannot end a worker that is still loading.
            eventually(lambda: (site.folder / "said.txt").read_text().count("ready in") == 2, timeout_s=30)
        for _ in range(REQUESTS):
            assert site.ask() == "hello\n"
    steps, probes, goodbyes = site.steps_and_goodbyes()
    # Each request starts a chart and has it react once; one more asked whether the server was up.
    assert steps == 2 * (REQUESTS + 1)
    assert probes == goodbyes >= 1


@pytest.mark.soak
@needs("celery")
@pytest.mark.parametrize("tasks_per_child", [1, 2, 5, 0])
def test_every_task_of_celery_is_seen_however_soon_its_workers_end(site, tasks_per_child):
    command = ("celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING")
    children = ("--max-tasks-per-child", str(tasks_per_child)) if tasks_per_child else ()
    with site.serving(*command, *children):
        subprocess.run(
            [sys.executable, "-c", "from tasks import job\nfor n in range(10): job.delay(n)"],
            cwd=site.folder,
            check=True,
            timeout=60,
        )
        eventually(
            lambda: (site.folder / "log").exists() and site.steps_and_goodbyes()[0] == 20, timeout_s=60
        )
    steps, probes, goodbyes = site.steps_and_goodbyes()
    assert steps == 20
    assert probes == goodbyes


@pytest.mark.soak
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_child_of_multiprocessing_is_seen(site, method):
    subprocess.run(
        [sys.executable, "pool.py", method],
        cwd=site.folder,
        env=os.environ | {"FARSCOPE_URL": site.url, "FARSCOPE_KEY_FILE": str(site.folder / "key")},
        check=True,
        timeout=60,
    )
    steps, probes, goodbyes = site.steps_and_goodbyes()
    assert steps == 20
    assert probes == goodbyes >= 1

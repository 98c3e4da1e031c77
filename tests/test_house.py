"""The rules of tests/conftest.py hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MARKERS = ("broker", "browser", "network", "processes", "soak")
PYTEST_INI = "\n  ".join(("[pytest]\naddopts = --strict-markers\nmarkers =", *MARKERS)) + "\n"
FAILS = """
import importlib, subprocess, sys, threading
import pytest

kept = []
def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="pump of nobody", daemon=True).start()

def test_leaves_a_process():
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    kept.append(subprocess.Popen(command, stdin=subprocess.PIPE))

def test_starts_a_program_unseen():
    importlib.import_module("sub" + "process").run([sys.executable, "-c", "'unseen'"], check=True)

def test_starts_a_process_unseen():
    process = importlib.import_module("multi" + "processing").get_context("spawn").Process()
    process.start()
    process.join()
"""
SOAKS = """
import pytest
@pytest.mark.soak
def test_long(): pass
def test_short(): pass
"""
SKIPS_BROKER = """
import pytest
@pytest.mark.broker
@pytest.mark.parametrize("reason", ["another broker is named", "another broker is named", "it is too new"])
def test_it(reason): pytest.skip(reason)
"""
USES_HOME = """
import os
def test_it(tmp_path):
    assert not [name for name in os.environ if name.startswith("FARSCOPE_") and name != "FARSCOPE_STRICT"]
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        assert os.environ[name].startswith(str(tmp_path))
"""
NEEDS = """
import subprocess, sys
import pytest
from support.program import Program

def helper(): subprocess.run([sys.executable, "-c", ""], check=True)
class Starter:
    def start(self): return Program("-c", "")
@pytest.fixture
def broker(): pytest.fail("a broker was started")
@pytest.fixture
def browser(): pytest.fail("a browser was started")
@pytest.fixture
def amqp_url(broker): pytest.fail("a broker was started")
@pytest.fixture
def command():
    def run(): helper()
    return run

def test_uses_a_broker(broker): pass
def test_uses_a_broker_through_another_fixture(amqp_url): pass
def test_uses_a_browser(browser): pass
def test_starts_a_program_in_a_fixture(command): command()
def test_starts_a_program_in_a_class(): Starter().start()
@pytest.mark.parametrize("act", [helper])
def test_starts_a_program_that_is_a_parameter(act): act()
@pytest.mark.network
def test_uses_a_network(): pytest.fail("a network was made")
def test_needs_nothing(): pass
"""
FAST = re.search(r"^FAST := (.*)$", (Path(__file__).parent.parent / "Makefile").read_text(), re.MULTILINE)


def run_tests(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).parent / "conftest.py", folder)
    (folder / "pytest.ini").write_text(PYTEST_INI)
    (folder / "test_sample.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> dict[str, str]:
    """The error of each test of ``FAILS``, by the test's name."""
    done = run_tests(tmp_path_factory.mktemp("house"), FAILS, "-W", "ignore", "-p", "no:randomly")
    assert done.returncode == 1
    parts = re.split(r"^_+ ERROR at teardown of (\w+) _+$", done.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("test_leaves_a_thread", "the test left running: thread 'pump of nobody'"),
        ("test_leaves_a_process", r"the test left running: process \d+ .*sys.stdin.read\(\)"),
    ],
)
def test_what_a_test_leaves_running_fails_it_by_name(failures, test, named):
    assert re.search(named, failures[test])


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("test_starts_a_program_unseen", "-c 'unseen'"),
        ("test_starts_a_process_unseen", "a process whose start was not seen"),
    ],
)
def test_a_test_that_is_taken_for_fast_fails_if_it_starts_a_program(failures, test, named):
    assert "the test started a program, and has none of the markers broker, browser" in failures[test]
    assert named in failures[test]


def test_soaks_run_only_when_asked_for(tmp_path):
    assert "1 passed, 1 deselected" in run_tests(tmp_path, SOAKS).stdout
    assert "1 passed, 1 deselected" in run_tests(tmp_path, SOAKS, "-m", "soak").stdout


def test_the_fast_tests_are_those_that_need_no_broker_browser_network_or_program(tmp_path):
    assert FAST
    done = run_tests(tmp_path, NEEDS, "-m", FAST[1])
    assert "1 passed, 7 deselected" in done.stdout


def test_skipped_broker_tests_are_told_with_the_reason_in_capitals_right_above_the_closing_line(tmp_path):
    *_, first, second, closing = run_tests(tmp_path, SKIPS_BROKER).stdout.splitlines()
    assert first == "2 TESTS WITH A REAL RABBITMQ DID NOT RUN: ANOTHER BROKER IS NAMED"
    assert second == "1 TESTS WITH A REAL RABBITMQ DID NOT RUN: IT IS TOO NEW"
    assert "3 skipped" in closing


def test_no_test_sees_the_users_folders_or_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("FARSCOPE_URL", "sqlite:somewhere")
    assert "1 passed" in run_tests(tmp_path, USES_HOME).stdout

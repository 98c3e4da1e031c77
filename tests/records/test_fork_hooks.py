"""Fork hooks run around forks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from farscope.records import fork_hooks as forks


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_what_was_registered_is_called_before_and_behind_the_fork():
    program = (
        "import os\n"
        "from farscope.records.fork_hooks import at_fork\n"
        "reported = []\n"
        "at_fork(before=lambda: reported.append('before'), in_parent=lambda: reported.append('parent'),"
        " in_child=lambda: reported.append('child'))\n"
        "at_fork()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if reported == ['before', 'child'] else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "assert reported == ['before', 'parent'], reported\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_where_nothing_forks_nothing_is_done(monkeypatch):
    monkeypatch.setattr(forks.sys, "platform", "win32")
    monkeypatch.delattr(forks.os, "register_at_fork", raising=False)
    forks.at_fork(before=lambda: pytest.fail("called"))


@pytest.mark.skipif(sys.platform != "linux", reason="the tests fork by Linux's C library")
def test_a_fork_that_python_was_not_reported_of_is_put_right_once_when_it_is_noticed():
    program = (
        "import ctypes, os, threading, time\n"
        "from farscope.records import fork_hooks as forks\n"
        "reported, lock, began = [], threading.Lock(), time.time_ns()\n"
        "forks.at_fork(before=lock.acquire, in_parent=lock.release, in_child=lock.release)\n"
        "forks.at_fork(in_child=lambda: reported.append(forks.noticed_late()))\n"
        "assert not forks.notice_fork()\n"
        "assert forks.began_ns() <= began\n"
        "until = time.time_ns() + 30_000_000\n"
        "while time.time_ns() < until: pass\n"
        "pid = ctypes.PyDLL(None).fork()\n"
        "if not pid:\n"
        "    seen = forks.notice_fork(), forks.notice_fork(), reported, lock.locked(), forks.noticed_late()\n"
        "    in_time = began + 15_000_000 < forks.began_ns() <= time.time_ns()\n"
        "    os._exit(0 if seen == (True, False, [True], False, False) and in_time else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if reported == [False] and not forks.notice_fork() else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the tests fork by Linux's C library")
@pytest.mark.parametrize("made", ["forks.unset_by_forks()", "forks.ComparedFlag()"])
@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_a_flag_is_unset_in_every_forked_child_and_can_be_set_there(made, fork):
    program = (
        "import ctypes, os\n"
        "from farscope.records import fork_hooks as forks\n"
        f"flag = {made}\n"
        "def looks_set(): return bool(flag), flag.value\n"
        "assert looks_set() == (False, 0)\n"
        "flag.value = 1\n"
        "assert looks_set() == (True, 1)\n"
        f"pid = {fork}\n"
        "if not pid:\n"
        "    seen = [looks_set()]\n"
        "    flag.value = 1\n"
        "    seen.append(looks_set())\n"
        f"    pid = {fork}\n"
        "    if not pid:\n"
        "        os._exit(0 if looks_set() == (False, 0) else 1)\n"
        "    seen.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "    os._exit(0 if seen == [(False, 0), (True, 1), 0] else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "assert looks_set() == (True, 1)\n"
        "flag.value = 0\n"
        "assert looks_set() == (False, 0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_system_that_cannot_wipe_memory_on_a_fork_gets_a_flag_that_looks_where_it_is(monkeypatch):
    monkeypatch.setattr(forks, "WIPED_ON_FORK", -1)
    assert isinstance(forks.unset_by_forks(), forks.ComparedFlag)
    monkeypatch.setattr(forks.sys, "platform", "darwin")
    assert isinstance(forks.unset_by_forks(), forks.ComparedFlag)

"""What is put right around a fork."""

from __future__ import annotations

import subprocess
import sys

import pytest

from farscope.records import forks


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_what_was_registered_is_called_before_and_behind_the_fork():
    program = (
        "import os\n"
        "from farscope.records.forks import at_fork\n"
        "told = []\n"
        "at_fork(before=lambda: told.append('before'), in_parent=lambda: told.append('parent'),"
        " in_child=lambda: told.append('child'))\n"
        "at_fork()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if told == ['before', 'child'] else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "assert told == ['before', 'parent'], told\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_where_nothing_forks_nothing_is_done(monkeypatch):
    monkeypatch.setattr(forks.sys, "platform", "win32")
    monkeypatch.delattr(forks.os, "register_at_fork", raising=False)
    forks.at_fork(before=lambda: pytest.fail("called"))

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from farscope.cli.exit_codes import EXIT_INTERRUPTED
from farscope.cli.main import COMMANDS, farscope


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "farscope", *arguments], capture_output=True, text=True, check=False
    )


def test_the_version_is_that_of_the_package():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"farscope, version {version('farscope')}\n")


def test_help_lists_every_command_with_what_it_does():
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout and item.summary in done.stdout for name, item in COMMANDS.items())


def test_without_a_command_help_is_shown():
    assert run().stdout == run("--help").stdout


def test_help_loads_no_command_and_nothing_heavy():
    program = (
        "import sys; from farscope.cli.main import farscope\n"
        "farscope.main(['--help'], standalone_mode=False)\n"
        "loaded = {'cryptography', 'msgspec', 'sqlite3', 'rich', 'farscope.scope.scope'}\n"
        "print(sorted(loaded & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_page_that_begins_with_its_line(name):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: farscope {name}")
    assert COMMANDS[name].summary in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_line_is_the_first_of_its_own_help(name):
    command = farscope.get_command(None, name)
    assert command.help.splitlines()[0] == COMMANDS[name].summary


def test_an_unknown_command_is_wrong_usage_with_a_hint():
    done = run("gaze")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no such command 'gaze'")
    assert "hint: see farscope --help" in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("wach", "watch"), ("exprot", "export")])
def test_a_command_that_is_nearly_right_is_told(typed, meant):
    done = run(typed)
    assert done.returncode == 2
    assert f"hint: did you mean {meant}?" in done.stderr


def test_ctrl_c_while_the_command_line_is_loaded_is_quiet():
    program = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from farscope.__main__ import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_INTERRUPTED, "", "")

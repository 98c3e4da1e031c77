from __future__ import annotations

import subprocess
import sys

import pytest

import farscope

CHART_WORDS = [
    "ActiveObject",
    "Event",
    "Factory",
    "Hsm",
    "pp",
    "return_status",
    "signals",
    "spy_on",
    "stripped",
]
SEEING_WORDS = ["ForeignHsm", "Scope", "Step", "broadcast", "cause", "caused_by"]
VALUE_WORDS = ["fields", "payload"]


def test_the_public_names_are_those_of_the_design_in_order():
    assert farscope.__all__ == sorted(CHART_WORDS + SEEING_WORDS + VALUE_WORDS)


@pytest.mark.parametrize("name", farscope.__all__)
def test_each_public_name_is_there_and_kept_after_its_first_use(name):
    assert getattr(farscope, name) is vars(farscope)[name]


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Broker'"):
        _ = farscope.Broker


def test_dir_lists_the_public_names_and_the_version():
    assert {*farscope.__all__, "__version__"} <= set(dir(farscope))


def test_running_a_chart_loads_no_encryption_log_or_command_line():
    heavy = "{'cryptography', 'msgspec', 'sqlite3', 'click', 'rich', 'pika'}"
    names = ", ".join(CHART_WORDS)
    program = f"import sys; from farscope import {names}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

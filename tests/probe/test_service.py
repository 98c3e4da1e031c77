"""The name of a process: given, from the environment, or that of the program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from farscope.errors import UsageError
from farscope.probe.service import MAX_SERVICE, SERVICE_VARIABLE, service_name


def test_a_given_name_comes_before_the_environment_and_that_before_the_program(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys, "argv", ["/opt/plant/oven.py"])
    monkeypatch.delenv(SERVICE_VARIABLE, raising=False)
    assert service_name(None) == "oven"
    monkeypatch.setenv(SERVICE_VARIABLE, "charger-7")
    assert service_name(None) == "charger-7"
    assert service_name("given") == "given"


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\x1b[31mred", "x" * (MAX_SERVICE + 1)])
def test_a_name_that_cannot_be_shown_is_refused(name, monkeypatch):
    with pytest.raises(UsageError, match="service"):
        service_name(name)
    monkeypatch.setenv(SERVICE_VARIABLE, name)
    if name:
        with pytest.raises(UsageError, match=SERVICE_VARIABLE):
            service_name(None)


@pytest.mark.parametrize(
    ("how", "name"),
    [(["oven.py"], "oven"), (["-m", "oven"], "oven"), (["-m", "plant"], "plant"), (["-c"], "")],
)
def test_the_program_is_named_as_it_was_started(how, name, tmp_path):
    code = "from farscope.probe.service import program_name; print(program_name())"
    (tmp_path / "oven.py").write_text(code)
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "__main__.py").write_text(code)
    command = [sys.executable, *how, *([code] if how == ["-c"] else [])]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{name}\n"


def test_every_batch_names_service_writer_and_heartbeat(bench):
    bench.offer(1)
    (parcel,) = bench.batcher.steps(10)
    batch = parcel.payload[0]
    assert (batch.service, batch.heartbeat_ns) == ("oven", 1_000_000_000)
    assert batch.writer.startswith("farscope ")

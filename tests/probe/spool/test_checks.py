"""The doctor reports how much waits in the spool, for which log and program, and which one will send it."""

from __future__ import annotations

import os
from shutil import rmtree

import pytest

from farscope.logs.diagnostics import Severity
from farscope.probe.spool.checks import examine_spool, nothing_waits
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.queue import Spool
from farscope.probe.spool.sqlite import ALIVE

PLACE = "amqp://there/charts"


@pytest.fixture
def folder(tmp_path) -> SpoolFolder:
    return SpoolFolder(tmp_path, PLACE)


def left(folder: SpoolFolder, name: str, *batches: bytes) -> None:
    """Leave batches of a program that is gone."""
    spool = Spool(folder, name)
    spool.store(batches)
    spool.leave()


def test_a_spool_in_which_nothing_waits_is_well(folder, tmp_path):
    assert list(examine_spool(tmp_path / "not there")) == []
    spool = Spool(folder, "one")
    first = spool.store([b"sent"])
    spool.sent([first])
    assert list(examine_spool(tmp_path)) == []
    spool.leave()
    assert list(examine_spool(tmp_path)) == []
    assert nothing_waits(tmp_path).severity is Severity.OK


def test_what_programs_that_are_gone_have_left_is_told_with_its_destination_and_who_sends_it(
    folder, tmp_path
):
    left(folder, "aa", bytes(1000), bytes(500))
    left(folder, "bb", bytes(500))
    (check,) = examine_spool(tmp_path)
    assert check.what == f"3 batches, 2,000 bytes left by 2 programs no longer running wait for {PLACE}"
    assert check.severity is Severity.WARN
    assert "any program of yours that broadcasts there" in check.remedy
    assert len(folder.left_behind()) == 2  # looking changes nothing


def test_pipes_in_a_spool_hold_up_nobody_who_looks_into_it(folder, tmp_path):
    left(folder, "aa", b"x")
    (path,) = folder.left_behind()
    os.mkfifo(path.with_name(path.name.replace("aa-", "bb-")))
    lock = path.with_name(path.name + ALIVE)
    lock.unlink()
    os.mkfifo(lock)
    # Whose lock is not to be had may live.
    (check,) = examine_spool(tmp_path)
    assert check.what.startswith("1 batch, 1 byte of 1 program wait")
    assert folder.left_behind() == []


def test_what_waits_for_a_place_that_is_gone_can_be_given_up_as_told(folder, tmp_path):
    left(folder, "aa", b"x")
    (check,) = examine_spool(tmp_path)
    rmtree(check.remedy.partition("if that place is gone for good, delete ")[2])
    assert list(examine_spool(tmp_path)) == []
    left(folder, "bb", b"y")
    assert len(list(examine_spool(tmp_path))) == 1


def test_what_waits_of_a_running_program_is_told_apart(folder, tmp_path):
    left(folder, "aa", b"x")
    running = Spool(folder, "bb")
    running.store([b"y"])
    of_running, of_gone = examine_spool(tmp_path)
    assert of_running.what == f"1 batch, 1 byte of 1 program wait for {PLACE}"
    assert "1 program no longer running" in of_gone.what
    running.leave()


def test_each_destination_has_a_line_and_one_that_is_not_known_is_told_by_its_folder(folder, tmp_path):
    left(folder, "aa", b"x")
    other = tmp_path / "amqp_me@there_5672_2F-0123456789ab"
    left(SpoolFolder(tmp_path, "moved"), "bb", b"x")
    SpoolFolder(tmp_path, "moved").path.rename(other)
    whats = {check.what: check.remedy for check in examine_spool(tmp_path)}
    assert len(whats) == 2
    (unknown,) = [what for what in whats if str(other) in what]
    assert "the very address they had" in whats[unknown]


def test_files_that_cannot_be_read_are_counted(folder, tmp_path):
    left(folder, "aa", b"x")
    (path,) = folder.left_behind()
    path.write_bytes(b"spoilt" * 1000)
    (check,) = examine_spool(tmp_path)
    assert "1 file that cannot be read" in check.what


def test_a_place_that_is_no_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    (check,) = examine_spool(tmp_path / "file")
    assert check.severity is Severity.WARN

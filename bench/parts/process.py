"""The memory and the processor time of a process, as the kernel reports them (Linux)."""

from __future__ import annotations

import os
import re
from pathlib import Path


def memory_mb(pid: int | str = "self") -> float:
    """Return the megabytes (of 2**20 bytes) a process holds in memory."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int | str = "self") -> float:
    """Return the most megabytes (of 2**20 bytes) a process has held in memory."""
    return _status_mb(pid, "VmHWM")


def processor_s(pid: int | str = "self") -> float:
    """Return the processor time a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int | str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"process {pid} does not report {name}")
    return int(found[1]) / 1024

"""Run the plant: ``python -m plant 120`` for two minutes. On the way c3 is killed, as by the kernel."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from plant import bus

KILLED = "c3"
KILLED_AFTER = 0.6
"""Part of the whole time."""
MODULES = {"site": ["plant.controller"], "meter": ["plant.meter"], "gateway": ["plant.gateway"]}


def main(seconds: float) -> None:
    """Start every program, kill one, and end the others with SIGTERM."""
    programs = {
        name: subprocess.Popen([sys.executable, "-m", *MODULES.get(name, ["plant.charger", name])])
        for name in bus.PROGRAMS
    }
    try:
        time.sleep(seconds * KILLED_AFTER)
        programs[KILLED].kill()
        time.sleep(seconds * (1 - KILLED_AFTER))
    finally:
        for program in programs.values():
            program.send_signal(signal.SIGTERM)
        for program in programs.values():
            program.wait(10)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 40.0)

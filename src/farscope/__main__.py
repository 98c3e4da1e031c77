"""``python -m farscope`` is the same as ``farscope``: both begin here.

Nothing is imported above, so that Ctrl-C is quiet also while the command line is being loaded.
"""

from __future__ import annotations

import sys

_INTERRUPTED = 130
"""``exit_codes.EXIT_INTERRUPTED``, repeated here for an interrupt before that module is loaded."""


def main() -> None:
    """Load and run the command line, and leave the program with its exit code."""
    try:
        from farscope.cli.main import main as run  # noqa: PLC0415 - loading it can be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()

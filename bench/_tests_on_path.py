"""Makes ``tests/support`` importable for the benches: a real broker, a proxy that hurts connections."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

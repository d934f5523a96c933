"""Makes the builder's modules importable: they are programs beside the package, not part of it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

"""How much memory a command that ran in this process has used."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path


class PeakMemory:
    """Peak memory of this process from now on: of its GPUs if it uses any, else of main memory as Linux counts it."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        if _on_gpu():
            sys.modules["torch"].cuda.reset_peak_memory_stats()

    def mb(self) -> float:
        """MiB; 0 if unknown."""
        if _on_gpu():
            return sys.modules["torch"].cuda.max_memory_reserved() / 2**20
        with suppress(OSError, ValueError, IndexError):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0


def _on_gpu() -> bool:
    """Whether a command has loaded torch and used a GPU; this module never loads it."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()

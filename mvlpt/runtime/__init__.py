"""What a running process needs: a console, logging, progress and signal handling.

The names are imported when they are first used, so that a command which shows no bar does not load rich's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.runtime.console import CleanConsole, stderr_console
    from mvlpt.runtime.epoch_table import EpochTable, short_time
    from mvlpt.runtime.interrupts import Interrupted, StopRequest
    from mvlpt.runtime.log import log_to_file, setup_logging
    from mvlpt.runtime.progress import FILE_VARIABLE, TrainingProgress, counting
    from mvlpt.runtime.threads import one_thread, threads_kept

__all__ = [
    "FILE_VARIABLE",
    "CleanConsole",
    "EpochTable",
    "Interrupted",
    "StopRequest",
    "TrainingProgress",
    "counting",
    "log_to_file",
    "one_thread",
    "setup_logging",
    "short_time",
    "stderr_console",
    "threads_kept",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "CleanConsole": "console",
        "EpochTable": "epoch_table",
        "FILE_VARIABLE": "progress",
        "Interrupted": "interrupts",
        "one_thread": "threads",
        "StopRequest": "interrupts",
        "TrainingProgress": "progress",
        "counting": "progress",
        "log_to_file": "log",
        "setup_logging": "log",
        "short_time": "epoch_table",
        "stderr_console": "console",
        "threads_kept": "threads",
    },
)

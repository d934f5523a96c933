"""A process that outlives a Ray worker by a moment, to kill what the worker's programs leave running.

Ray kills a worker whose scheduler is gone, and with it the program that it runs, but not what that program started.
``python -m mvlpt.schedule.executors.ray.guard MARK`` waits for the end of its standard input, which the worker holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping

from mvlpt.schedule.worker.processes import VARIABLE, kill_marked

# The guard is not a child of the worker, since Ray kills those too.
_SCRIPT = 'exec 3<&0; "$0" -m mvlpt.schedule.executors.ray.guard "$1" <&3 3<&- >/dev/null 2>&1 &'


class Guard:
    """Kills the programs of this process once it has ended.

    Args:
        folder: part of the mark in their environment.
    """

    def __init__(self, folder: str) -> None:
        self.mark = f"ray-{uuid.uuid4().hex}.0:{folder}"
        process = subprocess.Popen(
            ["sh", "-c", _SCRIPT, sys.executable, self.mark],
            stdin=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != VARIABLE},
            start_new_session=True,
        )
        self._lifeline = process.stdin  # closes when this process ends, however it ends
        process.wait()

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Variables of a program, with the mark."""
        return {**own, VARIABLE: self.mark}

    def clean(self) -> None:
        """Kills what a program has left running."""
        kill_marked(lambda value: value == self.mark)


def main() -> None:
    """Waits, then kills everything with the mark."""
    sys.stdin.buffer.read()
    kill_marked(lambda value: value == sys.argv[1])


if __name__ == "__main__":
    main()

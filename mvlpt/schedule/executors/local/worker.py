"""A worker process as the local executor sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mvlpt.io import open_to_append
from mvlpt.schedule.attempts import OUTPUT, Attempt, AttemptResult
from mvlpt.schedule.interpreter import python_module
from mvlpt.schedule.worker.messages import attempt_record, encode, result_of
from mvlpt.schedule.worker.processes import VARIABLE, kill_marked


class LocalWorker:
    """One process that runs attempts one after the other, and keeps loaded what they share.

    Args:
        attempt: the first one; what the process prints outside attempts goes to its output file.
        environment: variables on top of this process's own.
        mark: set in the environment of everything the worker starts.

    Attributes:
        process: the worker.
        reports: descriptor on which results come in.
        watch: descriptor that becomes readable when the process ends; None where the system has no such thing.
        attempt: the one that runs.
        since: when it was sent to the worker, by the monotonic clock.
        stopping: how it was asked to stop: ``""``, ``gently`` or ``now``.
    """

    def __init__(self, attempt: Attempt, environment: Mapping[str, str], mark: str) -> None:
        self.mark = mark
        attempt.folder.mkdir(parents=True, exist_ok=True)
        requests, self._requests = os.pipe()
        self.reports, reports = os.pipe()
        command = [*python_module("mvlpt.cli.worker"), "--requests", str(requests)]
        try:
            with open_to_append(attempt.folder / OUTPUT) as output:
                self.process = subprocess.Popen(
                    [*command, "--reports", str(reports)],
                    env={**os.environ, **environment, VARIABLE: mark},
                    pass_fds=(requests, reports),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C is for the scheduler to pass on
                )
        except OSError:
            os.close(self._requests)
            os.close(self.reports)
            raise
        finally:
            os.close(requests)
            os.close(reports)
        os.set_blocking(self.reports, False)
        self.watch: int | None = None
        with suppress(OSError, AttributeError):
            self.watch = os.pidfd_open(self.process.pid)
        self.attempt: Attempt | None = None
        self.since, self.stopping = 0.0, ""
        self._partial = b""

    def start(self, attempt: Attempt) -> None:
        """Sends an attempt to the worker. A dead worker is noticed by :meth:`died`."""
        self.attempt, self.since, self.stopping = attempt, time.monotonic(), ""
        self._send({"start": attempt_record(attempt)})

    def stop(self, *, now: bool) -> None:
        """Lets the attempt save its state, or kills the worker with everything it started."""
        if self.attempt is None or self.stopping == "now":
            return
        if now:
            self.stopping = "now"
            self.kill()
        elif not self.stopping:
            self.stopping = "gently"
            self._send({"stop": list(self.attempt.key)})

    def read(self) -> list[AttemptResult]:
        """Results that have come in."""
        with suppress(BlockingIOError):
            while True:
                chunk = os.read(self.reports, 65536)
                if not chunk:
                    break
                self._partial += chunk
        *lines, self._partial = self._partial.split(b"\n")
        return [result_of(json.loads(line)) for line in lines]

    def died(self) -> bool:
        """Whether the process has ended; its exit status stays to be collected."""
        return self.process.returncode is not None or (
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        )

    def kill(self) -> None:
        """Ends the process and everything it started."""
        if self.process.returncode is None:  # no other process can have its id
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        kill_marked(lambda value: value == self.mark)

    def retire(self) -> None:
        """Lets the process exit once it is idle."""
        if self._requests is not None:
            os.close(self._requests)
            self._requests = None

    def reap(self) -> int:
        """Kills the process and what it started, closes its descriptors, and returns its exit status."""
        self.kill()
        status = self.process.wait()
        self.retire()
        for descriptor in (self.reports, self.watch):
            if descriptor is not None:
                os.close(descriptor)
        return status

    def _send(self, message: Mapping[str, Any]) -> None:
        line = encode(message)
        with suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._requests, line) :]

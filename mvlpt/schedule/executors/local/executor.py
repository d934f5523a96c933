"""Jobs on this machine: a worker process for each slot, which keeps what its jobs have loaded."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mvlpt.errors import BAD_INPUT, INTERRUPTED
from mvlpt.schedule.attempts import TIMED_OUT, Attempt, AttemptResult, describe_exit_status, read_result
from mvlpt.schedule.executors.local.options import LocalOptions
from mvlpt.schedule.executors.local.worker import LocalWorker
from mvlpt.schedule.slots import Slot, local_slots
from mvlpt.schedule.worker.processes import is_leftover, kill_marked, mark

_KEEPS_WORKER = (0, BAD_INPUT, INTERRUPTED)  # after any other status the next attempt gets a fresh process
_LATE_SECONDS = 15.0  # a worker ends an attempt over its time limit itself; if it cannot, it is killed this much later
_CLOSE_SECONDS = 5.0


class LocalExecutor:
    """Runs each attempt in the worker process of its slot, which is started with the first and kept.

    Backbones and image features stay loaded in a worker from job to job. When a worker dies its attempt fails and the
    slot gets a new one. Nothing outlives the executor: a worker ends when its pipe closes, whatever killed this
    process, and kills what it started.

    Args:
        options: number and kind of slots.

    Raises:
        ScheduleError: GPUs are asked for and there is none.
    """

    name = "local"

    def __init__(self, options: LocalOptions | None = None) -> None:
        self.options = options or LocalOptions()
        self._slots = local_slots(self.options.slots, self.options.gpu_share, self.options.device)
        self._visible = [word for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
        self._workers: dict[str, LocalWorker] = {}
        self._leaving: list[LocalWorker] = []
        self._selector = selectors.DefaultSelector()
        self._results: list[AttemptResult] = []
        self._count = 0
        self._swept: set[Path] = set()

    def slots(self) -> Sequence[Slot]:
        """One per job that may run at once."""
        return self._slots

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Hands the attempt to the slot's worker; returns the worker's process id."""
        worker = self._workers.get(slot.name)
        if worker is not None and worker.died():
            self._forget(slot.name)
            worker.reap()
            worker = None
        if worker is None:
            try:
                worker = self._start_worker(attempt, slot)
            except OSError as error:
                reason = f"its worker cannot be started: {error.strerror or error}"
                self._results.append(AttemptResult(*attempt.key, 1, 0.0, reason))
                return ""
        worker.start(attempt)
        return str(worker.process.pid)

    def poll(self) -> list[AttemptResult]:
        """The attempts that ended since the last call."""
        for name, worker in list(self._workers.items()):
            self._check(name, worker)
        for worker in [worker for worker in self._leaving if worker.died()]:
            worker.reap()
            self._leaving.remove(worker)
        results, self._results = self._results, []
        return results

    def wait(self, timeout: float) -> None:
        """Returns when a worker reports or dies, at the latest after ``timeout`` seconds."""
        if not self._results:
            self._selector.select(max(0.0, timeout))

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Sends the attempt SIGTERM, which lets a run save its state; or kills its worker with all it started."""
        for worker in self._workers.values():
            if worker.attempt is not None and worker.attempt.key == attempt.key:
                worker.stop(now=now)

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Never: workers end with their scheduler. Where both were killed, what the workers left is killed here."""
        if attempt.root not in self._swept:
            self._swept.add(attempt.root)
            kill_marked(lambda value: is_leftover(value, attempt.root))
        return False

    def close(self) -> None:
        """Ends the workers: idle ones exit by themselves, all others are killed."""
        workers = [*self._workers.values(), *self._leaving]
        for name in list(self._workers):
            self._forget(name)
        for worker in workers:
            worker.retire()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for worker in workers:
            while worker.attempt is None and not worker.died() and time.monotonic() < deadline:
                time.sleep(0.005)
            worker.reap()
        self._leaving.clear()
        self._selector.close()
        self._selector = selectors.DefaultSelector()

    def _start_worker(self, attempt: Attempt, slot: Slot) -> LocalWorker:
        """Starts a slot's worker."""
        self._count += 1
        worker = LocalWorker(attempt, self._environment(slot), mark(self._count, attempt.root))
        self._workers[slot.name] = worker
        for descriptor in (worker.reports, worker.watch):
            if descriptor is not None:
                self._selector.register(descriptor, selectors.EVENT_READ)
        return worker

    def _environment(self, slot: Slot) -> dict[str, str]:
        environment = {"OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}
        if slot.device == "cpu":
            return {**environment, "OMP_NUM_THREADS": str(self.options.threads)}
        index = int(slot.device.partition(":")[2])
        environment["CUDA_VISIBLE_DEVICES"] = self._visible[index] if index < len(self._visible) else str(index)
        return environment

    def _forget(self, name: str) -> LocalWorker:
        """Removes a worker from its slot."""
        worker = self._workers.pop(name)
        for descriptor in (worker.reports, worker.watch):
            if descriptor is not None:
                with suppress(KeyError):
                    self._selector.unregister(descriptor)
        return worker

    def _check(self, name: str, worker: LocalWorker) -> None:
        """Collects the results that a worker has sent, and notices its death."""
        dead = worker.died()  # checked first, so that a result it sent before it died is read
        for result in worker.read():
            inside = worker.attempt is not None and worker.attempt.command[:1] == ("mvlpt",)
            worker.attempt = None
            self._results.append(result)
            if not dead and (worker.stopping == "now" or (inside and result.status not in _KEEPS_WORKER)):
                worker.retire()
                self._leaving.append(self._forget(name))
                return
        if dead:
            self._forget(name)
            status = worker.reap()
            if worker.attempt is not None:
                self._results.append(_result_of_dead_worker(worker, status))
        elif worker.attempt is not None and worker.attempt.time_limit is not None and not worker.stopping:
            limit = worker.attempt.time_limit + worker.attempt.grace + _LATE_SECONDS
            if time.monotonic() - worker.since > limit:
                worker.kill()


def _result_of_dead_worker(worker: LocalWorker, status: int) -> AttemptResult:
    """How the attempt of a dead worker ended: by the result it has written, or else by the worker's exit status."""
    attempt, seconds = worker.attempt, round(time.monotonic() - worker.since, 3)
    written = read_result(attempt)
    if written is not None:
        return written
    if worker.stopping == "now":
        return AttemptResult(*attempt.key, status, seconds, "stopped at once")
    limit = attempt.time_limit
    if limit is not None and seconds > limit + attempt.grace:
        return AttemptResult(*attempt.key, TIMED_OUT, seconds, f"ran over its time limit of {limit:g} s")
    return AttemptResult(*attempt.key, status or 1, seconds, f"its worker {describe_exit_status(status)}")

"""Jobs on a Ray cluster: tasks in Ray's worker processes, which keep from job to job what they have loaded."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mvlpt.errors import INTERRUPTED, OUT_OF_MEMORY, MissingExtraError, ScheduleError
from mvlpt.schedule.attempts import FAILED, Attempt, AttemptResult, RunCommand, read_result
from mvlpt.schedule.executors.ray.options import RayOptions
from mvlpt.schedule.executors.ray.task import run_task
from mvlpt.schedule.slots import Slot

_log = logging.getLogger(__name__)
_SMALLEST_SHARE = 0.01  # of a GPU; Ray counts to four digits
_END_SECONDS = 10.0
ANSWER_SECONDS = 10.0  # within which a cluster must take a connection
_RAYLET_DIED = (
    "Ray's process on this machine (raylet) has died, so no job can run; see whether memory ran out, start Ray again if"
    " you started it, and run the same command again: jobs that were running count no failure"
)


@dataclass
class _Task:
    """An attempt that is a task of Ray's."""

    attempt: Attempt
    reference: Any
    since: float
    stopped: bool = False


class RayExecutor:
    """Runs each attempt as a Ray task.

    The scheduler, its folder and the nodes share a file system. A task whose process or node dies is started again by
    Ray; a command that fails is not: the scheduler decides about that. When the scheduler dies, Ray ends its tasks.

    Args:
        options: address and resources.
        run_command: runs commands of ``mvlpt`` inside Ray's workers; without it they are run as programs.

    Raises:
        MissingExtraError: Ray is not installed.
        ScheduleError: there is no cluster at the address, or it lacks what a job asks for.
    """

    name = "ray"

    def __init__(self, options: RayOptions | None = None, run_command: RunCommand | None = None) -> None:
        self.options = options or RayOptions()
        self._run_command = run_command
        self._ray = import_ray()
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, self.options.address)
        self._tasks: dict[tuple[str, int], _Task] = {}
        self._lost = False  # Ray's process on this machine has died
        self._warm = self._ray.remote(max_calls=0)(run_task)
        self._cold = self._ray.remote(max_calls=1)(run_task)
        try:
            self._total = self._ray.cluster_resources()
            self._check()
        except BaseException:
            self.close()
            raise

    def slots(self) -> Sequence[Slot]:
        """As many as the cluster can run at once, or as ``jobs`` says."""
        device = "cuda:0" if self.share > 0 else "cpu"
        return [Slot(f"ray{index}", device) for index in range(self.options.jobs or self._at_once())]

    @property
    def share(self) -> float:
        """GPUs per job."""
        if self.options.gpus >= 0:
            return self.options.gpus
        return 1.0 if self._total.get("GPU", 0) else 0.0

    def share_of(self, attempt: Attempt) -> float:
        """GPUs for this attempt: less than ``share`` where its memory estimate fits into less."""
        if not self.options.gpu_memory_mb or not attempt.job.memory_mb or not 0 < self.share <= 1:
            return self.share
        needed = math.ceil(100 * attempt.job.memory_mb / self.options.gpu_memory_mb) / 100
        return min(self.share, max(_SMALLEST_SHARE, needed))

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Hands the attempt to Ray; returns the task's reference in hexadecimal digits."""
        gpus = self.share_of(attempt)
        warm = self.options.warm == "always" or (self.options.warm == "cpu" and not gpus)
        task = (self._warm if warm else self._cold).options(
            name=attempt.job.name,
            num_cpus=self.options.cpus,
            num_gpus=gpus,
            resources=self.options.amounts(),
            max_retries=self.options.node_retries,
        )
        reference = task.remote(attempt, self._run_command)
        self._tasks[attempt.key] = _Task(attempt, reference, time.monotonic())
        return reference.hex()

    def poll(self) -> list[AttemptResult]:
        """The attempts whose tasks are over."""
        if not self._tasks:
            return []
        by_reference = {task.reference: key for key, task in self._tasks.items()}
        done, _ = self._ray.wait(list(by_reference), num_returns=len(by_reference), timeout=0)
        return [self._result(self._tasks.pop(by_reference[reference])) for reference in done]

    def wait(self, timeout: float) -> None:
        """Waits for the first task that is over."""
        if self._tasks:
            self._ray.wait([task.reference for task in self._tasks.values()], num_returns=1, timeout=timeout)
        else:
            time.sleep(timeout)

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Raises SIGINT in the task, or ends its process."""
        task = self._tasks.get(attempt.key)
        if task is not None:
            task.stopped = True
            self._ray.cancel(task.reference, force=now)

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Never: Ray ended the tasks of a scheduler that is gone."""
        return False

    def close(self) -> None:
        """Ends this executor's tasks, and the cluster where this executor started it."""
        if self._lost:  # with it its tasks ended, and it would not answer
            self._tasks.clear()
        for task in self._tasks.values():
            self._ray.cancel(task.reference, force=True)
        if self._tasks:
            references = [task.reference for task in self._tasks.values()]
            self._ray.wait(references, num_returns=len(references), timeout=_END_SECONDS)
        self._tasks.clear()
        if self._ours:
            self._ray.shutdown()

    def _result(self, task: _Task) -> AttemptResult:
        """How a task that is over ended: its result file decides, and what Ray reports where there is none.

        Raises:
            ScheduleError: Ray's process on this machine is gone, so that no job can run any more.
        """
        errors = self._ray.exceptions
        reason, status = "ended without a result", FAILED
        try:
            self._ray.get(task.reference)
        except errors.LocalRayletDiedError as error:
            if read_result(task.attempt) is None:
                self._lost = True
                raise ScheduleError(_RAYLET_DIED) from error
        except errors.TaskCancelledError:
            reason, status = "stopped", INTERRUPTED
        except errors.OutOfMemoryError:
            reason, status = "ran out of its node's main memory", OUT_OF_MEMORY
        except errors.RayTaskError as error:
            reason = str(error.cause or error).strip().splitlines()[-1]
        except errors.RayError as error:
            reason = f"lost its process or node {self.options.node_retries + 1} times: {type(error).__name__}"
        result = read_result(task.attempt)
        if result is not None:
            return result
        if task.stopped:
            reason, status = "stopped", INTERRUPTED
        return AttemptResult(*task.attempt.key, status, time.monotonic() - task.since, reason)

    def _check(self) -> None:
        """Refuses options under which no job could ever run."""
        wanted = {"CPU": self.options.cpus, "GPU": self.share, **self.options.amounts()}
        for name, amount in wanted.items():
            if amount > self._total.get(name, 0):
                raise ScheduleError(
                    f"A job asks for {amount:g} {name}, but the Ray cluster has {self._total.get(name, 0):g}; "
                    "change the executor's options"
                )

    def _at_once(self) -> int:
        """Jobs that the cluster can run at once, where each needs the least share of a GPU that it may."""
        counts = [self._total.get("CPU", 1) / self.options.cpus] if self.options.cpus else []
        if self.share:
            least = _SMALLEST_SHARE * 5 if self.options.gpu_memory_mb and self.share <= 1 else self.share
            counts.append(self._total.get("GPU", 0) / min(least, self.share))
        return max(1, int(min(counts, default=1)))


def import_ray() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("The ray executor needs Ray; pip install 'mvlpt[ray]'") from None
    return ray


def _check_address(address: str) -> None:
    """Connects to ``host:port``: where nothing answers, Ray itself would wait for many minutes.

    Raises:
        OSError: nothing answers.
        ValueError: the port is not a number.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), ANSWER_SECONDS).close()


def _connect(ray: Any, address: str) -> None:
    """Joins a cluster, or starts one on this machine with the cores that this process may use."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        try:
            _check_address(address)
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            text = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
            raise ScheduleError(f"There is no Ray cluster at '{address}': {text}") from error
        return
    ray.init(address="local", include_dashboard=False, num_cpus=len(os.sched_getaffinity(0)), **quiet)

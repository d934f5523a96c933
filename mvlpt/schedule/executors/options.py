"""Options of the cluster executors: frozen dataclasses that are filled from ``--executor-option KEY=VALUE``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mvlpt.errors import ScheduleError, suggest

T = TypeVar("T")

_WARM = ("cpu", "always", "never")
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class RayOptions:
    """How jobs run on Ray.

    Attributes:
        address: of a running cluster (``auto``, ``host:6379``, ``ray://host:10001``); empty starts one on this machine.
        cpus: CPU cores per job.
        gpus: share of a GPU per job, such as 0.25, or a whole number of GPUs; negative takes 1 where the cluster has
            GPUs and 0 where it has none.
        gpu_memory_mb: memory of the cluster's smallest GPU; with it a job takes the share of a GPU that its memory
            estimate asks for, but not more than ``gpus``, where that is given.
        jobs: at most so many in flight; 0 takes as many as the cluster can run at once.
        node_retries: how often Ray starts a job again that lost its process or its node.
        resources: further resources per job, such as ``fast_disk:1``, separated by commas.
        warm: which jobs share worker processes, and with them loaded backbones and features: those without a GPU
            (``cpu``), all (``always``: idle workers then hold GPU memory that Ray believes to be free), or none
            (``never``).
    """

    address: str = ""
    cpus: float = 1.0
    gpus: float = -1.0
    gpu_memory_mb: float = 0.0
    jobs: int = 0
    node_retries: int = 3
    resources: str = ""
    warm: str = "cpu"

    def __post_init__(self) -> None:
        _at_least("ray", self, cpus=0, gpu_memory_mb=0, jobs=0, node_retries=0)
        if self.warm not in _WARM:
            raise ScheduleError(f"ray: warm={self.warm} is none of {', '.join(_WARM)}")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ScheduleError(
                f"ray: gpus={self.gpus:g} is neither a share of one GPU nor a whole number; give 0.5 or 2"
            )
        self.amounts()

    def amounts(self) -> dict[str, float]:
        """``resources`` as numbers.

        Raises:
            ScheduleError: they are not of the form ``NAME:AMOUNT,NAME:AMOUNT``.
        """
        amounts = {}
        for name, amount in pairs(self.resources, "ray: resources", ":", ",").items():
            try:
                amounts[name] = float(amount)
            except ValueError:
                raise ScheduleError(f"ray: resources: the amount '{amount}' of '{name}' is not a number") from None
        return amounts


@dataclass(frozen=True)
class SlurmOptions:
    """How jobs run on SLURM; what is empty or 0 is left to the cluster's defaults.

    Attributes:
        partition: one or several, separated by commas.
        account: what the jobs are charged to.
        qos: quality of service.
        constraint: features that the node must have.
        minutes: time limit of a job that has none of its own.
        cpus: CPU cores per job.
        gpus: GPUs per job.
        memory_gb: main memory per job.
        jobs: at most so many queued or running.
        arrays: jobs that are started together go as one array.
        array_parallelism: so many of an array run at once.
        requeue: a job that is preempted, or whose node is lost, goes back into the queue.
        continuations: a job without a time limit of its own that reaches ``minutes`` saves its state and goes back into
            the queue so many times.
        signal_seconds: so long before its time limit a job is told to save its state.
        poll_seconds: the queue is asked this often at most.
        setup: shell commands before each job, such as ``module load cuda``.
        sbatch: further parameters of sbatch, such as ``nodelist=a1,reservation=r``, separated by semicolons.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    minutes: int = 60
    cpus: int = 1
    gpus: int = 0
    memory_gb: float = 0.0
    jobs: int = 64
    arrays: bool = True
    array_parallelism: int = 256
    requeue: bool = True
    continuations: int = 3
    signal_seconds: int = 90
    poll_seconds: float = 2.0
    setup: str = ""
    sbatch: str = ""

    def __post_init__(self) -> None:
        _at_least("slurm", self, minutes=1, cpus=1, gpus=0, memory_gb=0, jobs=1, array_parallelism=1, continuations=0)
        _at_least("slurm", self, signal_seconds=1, poll_seconds=0)
        pairs(self.sbatch, "slurm: sbatch", "=", ";")


def read_options(kind: Callable[..., T], given: Mapping[str, Any], executor: str) -> T:
    """Options from text or values.

    Args:
        kind: one of the dataclasses of this module.
        given: option to value; text is read as the option's type.
        executor: its name, for messages.

    Raises:
        ScheduleError: an unknown option, or a value that is not of its type or out of bounds.
    """
    kinds = {field.name: type(field.default) for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise ScheduleError(f"The {executor} executor has no option '{name}'{suggest(name, kinds)}")
        values[name] = _as(kinds[name], value, f"{executor}: {name}")
    return kind(**values)


def pairs(text: str, name: str, between: str, after: str) -> dict[str, str]:
    """``a=1;b=2`` as a dictionary.

    Raises:
        ScheduleError: a part lacks its name or its value.
    """
    found = {}
    for part in filter(None, (word.strip() for word in text.split(after))):
        key, sign, value = part.partition(between)
        if not sign or not key.strip() or not value.strip():
            raise ScheduleError(f"{name}: '{part}' is not of the form NAME{between}VALUE")
        found[key.strip()] = value.strip()
    return found


def _as(kind: type, value: Any, name: str) -> Any:
    text = str(value).strip()
    if kind is bool:
        if text.lower() not in _SWITCH:
            raise ScheduleError(f"{name}={text} is neither true nor false")
        return _SWITCH[text.lower()]
    if kind is str:
        return text
    try:
        number = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ScheduleError(f"{name}={text} is not {wanted}") from None
    if not math.isfinite(number):
        raise ScheduleError(f"{name}={text} is not finite")
    return number


def _at_least(executor: str, options: Any, **bounds: float) -> None:
    for name, bound in bounds.items():
        value = getattr(options, name)
        if value < bound:
            raise ScheduleError(f"{executor}: {name}={value} is too small; give {bound} or more")

"""Options of the Ray executor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mvlpt.errors import ScheduleError
from mvlpt.schedule.executors.options import pairs, require_at_least

_WARM = ("cpu", "always", "never")
_OWN = {"CPU": "cpus", "GPU": "gpus"}  # Ray's names of resources that are options of their own


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
        jobs: in flight at most; 0 takes as many as the cluster can run at once.
        node_retries: how often Ray starts a job again that lost its process or its node.
        resources: further resources per job, such as ``fast_disk:1``, separated by commas.
        warm: which jobs share worker processes, and with them loaded backbones and features: those without a GPU
            (``cpu``), all (``always``: idle workers then hold GPU memory that Ray considers free), or none
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
        require_at_least("ray", self, cpus=0, gpu_memory_mb=0, jobs=0, node_retries=0)
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
            ScheduleError: they are not of the form ``NAME:AMOUNT,NAME:AMOUNT`` with finite amounts above 0.
        """
        amounts = {}
        for name, amount in pairs(self.resources, "ray: resources", ":", ",").items():
            if name in _OWN:
                raise ScheduleError(f"ray: resources names {name}, which is an option of its own; give {_OWN[name]}")
            try:
                amounts[name] = float(amount)
            except ValueError:
                raise ScheduleError(f"ray: resources: the amount '{amount}' of '{name}' is not a number") from None
            if not 0 < amounts[name] < math.inf:
                raise ScheduleError(f"ray: resources: the amount {amount} of '{name}' is not a finite number above 0")
        return amounts

"""Options of the local executor."""

from __future__ import annotations

from dataclasses import dataclass

from mvlpt.errors import ScheduleError, suggest

DEVICES = ("auto", "cpu", "gpu")


@dataclass(frozen=True)
class LocalOptions:
    """How jobs run on this machine.

    Attributes:
        slots: jobs at once; 0 takes one per GPU, or one per CPU core that this process may use.
        gpu_share: most jobs that share one GPU, as far as the sum of their memory estimates fits.
        device: ``gpu``, ``cpu``, or ``auto``, which takes GPUs where there are any.
        threads: that a job on a CPU slot may use.
    """

    slots: int = 0
    gpu_share: int = 1
    device: str = "auto"
    threads: int = 1

    def __post_init__(self) -> None:
        for name, least in (("slots", 0), ("gpu_share", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ScheduleError(f"local: {name}={getattr(self, name)} is too small; give {least} or more")
        if self.device not in DEVICES:
            raise ScheduleError(f"local: device={self.device}{suggest(self.device, DEVICES)}")

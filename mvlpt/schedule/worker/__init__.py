"""Running attempts in a process: the local executor's workers, Ray's, SLURM's, or the scheduler's own."""

from mvlpt.schedule.worker.execution import run_attempt
from mvlpt.schedule.worker.loop import WorkerLoop

__all__ = ["WorkerLoop", "run_attempt"]

"""Jobs that encode the images of tasks once, for all runs that leave the image tower as it is."""

from __future__ import annotations

from pathlib import Path

from yacs.config import CfgNode

from mvlpt.engine import result_affecting_options
from mvlpt.experiment.arms import Run, folder_name
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.model import CostModel
from mvlpt.experiment.costs.tuning import Tuning
from mvlpt.experiment.plan.commands import STORE, run_command
from mvlpt.experiment.plan.earlier import EarlierJobs
from mvlpt.schedule import Job, job_id

# The first letters of the options on which features depend.
SECTIONS = ("MODEL.BACKBONE.", "INPUT.", "DATASET.S", "DATASET.MERGE", "DATASET.ON_BAD", "DATALOADER.VIEWS")


class FeatureJobs:
    """Adds to a plan the jobs whose features its runs read.

    Args:
        configurations: of the experiment.
        root: the experiment's folder.
        cost: estimates seconds and memory.
        jobs: of the plan, by id; new ones are added to it.
        earlier: of the plan that the folder holds.
    """

    def __init__(
        self,
        configurations: Configurations,
        root: Path,
        cost: CostModel,
        jobs: dict[str, Job],
        earlier: EarlierJobs,
    ) -> None:
        self._configurations, self._root, self._cost, self._jobs = configurations, root, cost, jobs
        self._earlier = earlier
        self._experiment = configurations.experiment

    def of_run(self, run: Run, cfg: CfgNode, tuning: Tuning) -> list[Job]:
        """The jobs whose features a run reads: one for each task, none where the image tower is tuned."""
        unread = cfg.TEST.NO_TEST or not cfg.DATALOADER.FEATURE_CACHE_MB
        if not self._experiment.features or unread:
            return []
        jobs = [] if tuning.image else [self._of_task(run, cfg, task, tuning.precision) for task in run.tasks]
        return [job for job in jobs if job is not None]

    def _of_task(self, run: Run, cfg: CfgNode, task: str, precision: str) -> Job | None:
        """Encodes the images of a task: all test images, and the training images of the first shots and seed.

        The untrained baseline reads features that other runs read, too; for it alone none are kept.
        """
        read = {name: cfg[name] for name in dict.fromkeys(key.partition(".")[0] for key in SECTIONS)}
        identity = {
            key: value
            for key, value in result_affecting_options(read, pinned=False).items()
            if key.startswith(SECTIONS)
        }
        identity |= {"INPUT.TRANSFORMS": None, "precision": precision, "task": task}
        ident = job_id(["features", identity])
        if ident in self._jobs or not run.shots:
            return self._jobs.get(ident)
        shots, seed = self._experiment.shots[0], self._experiment.seeds[0]
        # A task without validation images has features to keep all the same.
        options = {**run.options, "TEST.FINAL_MODEL": "last_step"}
        encoding = Run("", "features", run.trainer, "", (task,), shots, seed, options=options)
        name = self._earlier.name(ident, f"features/{folder_name(task)}-{ident[:4]}")
        seconds, memory = self._cost.of_run(self._configurations.of_run(encoding, {}), "features")
        stored = {**options, "DATALOADER.FEATURE_DIR": str(self._root / STORE)}
        self._jobs[ident] = Job(
            id=ident,
            kind="features",
            name=name,
            command=run_command("features", encoding, stored, self._root / name, self._experiment.plugins),
            outputs=(f"{name}/features.json",),
            seconds=seconds,
            memory_mb=memory,
            labels={"trainer": cfg.TRAINER.NAME, "arm": "", "group": "", "tasks": [task], "task": task},
        )
        return self._jobs[ident]

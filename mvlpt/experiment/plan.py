"""From an experiment and its groups to a plan: features, runs, means of source prompts, adaptations, a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from mvlpt.config.shipped import find_config
from mvlpt.engine.identity import decisive_options
from mvlpt.errors import PlanError
from mvlpt.experiment.arms import (
    Run,
    adaptation,
    folder_name,
    seeds_name,
    shots_name,
    source_runs,
    tagged,
    tuned_runs,
    zero_shot_runs,
)
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.model import CostModel, precision, towers
from mvlpt.experiment.spec import Experiment
from mvlpt.schedule.jobs import Job, Plan, job_id

QUIET = ("RUN.TENSORBOARD", "False", "RUN.THREADS", "1")
STORE = "features/store"
# Options that say where a prompt comes from, not which: the ids of the jobs that made it stand for them.
WHERE = ("RUN.INIT_FROM", "RUN.INIT_EPOCH", "RUN.MODE")
REPORT_SECONDS, AVERAGE_SECONDS = 2.0, 0.5


def build_plan(
    experiment: Experiment,
    root: str | os.PathLike[str],
    groupings: Any = None,
    cost: CostModel | None = None,
    experiment_file: str = "",
) -> Plan:
    """The jobs of an experiment.

    A job's id is the hash of the options on which its result depends and of the ids of the jobs whose prompts it starts
    from. Neither the folder nor the order of seeds, tasks or arms plays a part.

    Args:
        experiment: what to compare.
        root: the experiment's folder; it need not exist.
        groupings: for the arm ``grouped``: a grouping of the tasks, or one for each trainer's configuration file.
        cost: estimates seconds and memory.
        experiment_file: where the experiment was read from; with it the plan ends in a report.

    Raises:
        ConfigError: options, trainers or tasks that cannot be used, all told together.
        PlanError: groups that do not fit, or two jobs with one folder.
    """
    builder = _Builder(experiment, Path(os.path.abspath(root)), cost or CostModel())
    builder.configurations.check()
    for trainer in experiment.trainers:
        groups = groupings.get(trainer) if isinstance(groupings, Mapping) else groupings
        for shots in experiment.shots:
            for seed in experiment.seeds:
                for run in tuned_runs(experiment, trainer, shots, seed, groups):
                    builder.run(run)
            if "transfer" in experiment.arms:
                builder.transfer(trainer, shots)
    if experiment.zero_shot:  # last, so that features are kept by trainers that read training images, too
        for run in zero_shot_runs(experiment):
            builder.run(run)
    if experiment_file:
        builder.report(experiment_file)
    facts = {"experiment": experiment_file, "tasks": list(experiment.all_tasks), "seeds": list(experiment.seeds)}
    return Plan(list(builder.jobs.values()), facts)


class _Builder:
    """Adds jobs; the same run asked for twice is one job."""

    def __init__(self, experiment: Experiment, root: Path, cost: CostModel) -> None:
        self.experiment, self.root, self.cost = experiment, root, cost
        self.configurations = Configurations(experiment)
        self.jobs: dict[str, Job] = {}

    def run(self, run: Run, start: Job | None = None) -> Job:
        """The job of a run that starts from nothing, or from the prompt of another job."""
        labels = {"RUN.ARM": run.arm, **({"RUN.GROUP": run.group} if run.group else {})}
        cfg = self.configurations.of_run(run, labels)
        decisive = {key: value for key, value in decisive_options(cfg).items() if key not in WHERE}
        ident = job_id([run.kind, decisive, [start.id] if start else []])
        if ident in self.jobs:
            return self.jobs[ident]
        features = self._features_of(run, cfg)
        kept = {"DATALOADER.FEATURE_DIR": str(self.root / STORE)} if features else {}
        seconds, memory = self.cost.of_run(cfg, run.kind, features_kept=bool(features))
        tests = [] if cfg.TEST.NO_TEST else [f"{run.name}/results.jsonl"]
        inputs = [f"{start.name}/prompt_learner"] if start else []
        self.jobs[ident] = Job(
            id=ident,
            kind=run.kind,
            name=run.name,
            command=self._command("train", run, {**run.options, **labels, **kept}, run.name, start),
            needs=(*([start.id] if start else []), *(job.id for job in features)),
            inputs=(*inputs, *([STORE] if features else [])),
            outputs=(f"{run.name}/run.json", *tests),
            seconds=seconds,
            memory_mb=memory,
            facts={"trainer": cfg.TRAINER.NAME, **self._facts(run)},
        )
        return self.jobs[ident]

    def _command(
        self, verb: str, run: Run, options: Mapping[str, Any], folder: str, start: Job | None = None
    ) -> tuple[str, ...]:
        words = ["mvlpt", verb, "--config-file", _config_word(run.trainer), "--dataset"]
        words += [",".join(map(_task_word, run.tasks))]
        words += [word for file in self.experiment.plugins for word in ("--plugin", os.path.abspath(file))]
        words += ["--shots", str(run.shots)] if run.shots else []
        words += ["--seed", str(run.seed), "--output-dir", str(self.root / folder)]
        words += ["--model-dir", str(self.root / start.name)] if start else []
        words += ["--resume"] if verb == "train" else []
        words += ["--quiet", *(word for key, value in options.items() for word in (key, str(value)))]
        return (*words, *QUIET)

    def transfer(self, trainer: str, shots: int) -> None:
        """Source prompts of every seed, their means, and the adaptation of each mean to every target and seed."""
        experiment = self.experiment
        tuned: dict[str, list[Job]] = {}
        for seed in experiment.seeds:
            for source, run in source_runs(experiment, trainer, shots, seed):
                tuned.setdefault(source, []).append(self.run(run))
        for source, jobs in tuned.items():
            start = self.average(trainer, shots, source, jobs) if len(jobs) > 1 else jobs[0]
            for seed in experiment.seeds:
                for target in experiment.targets:
                    self.run(adaptation(experiment, trainer, shots, seed, source, target), start)

    def average(self, trainer: str, shots: int, source: str, jobs: Sequence[Job]) -> Job:
        """The mean of the prompts of several seeds."""
        ident = job_id(["average", sorted(job.id for job in jobs)])
        tasks = jobs[0].facts["tasks"]
        leaf = tagged(source, tasks) if source == "together" else source
        place = f"{self.experiment.trainer_names()[trainer]}/source/{shots_name(shots)}"
        name = f"{place}/mean-of-{seeds_name(self.experiment.seeds)}/{leaf}"
        folders = [str(self.root / job.name) for job in jobs]
        self.jobs[ident] = Job(
            id=ident,
            kind="average",
            name=name,
            command=("mvlpt", "average", *folders, "--output-dir", str(self.root / name), "--resume"),
            needs=tuple(job.id for job in jobs),
            inputs=tuple(f"{job.name}/prompt_learner" for job in jobs),
            outputs=(f"{name}/prompt_learner/model-best.pth.tar", f"{name}/average.json"),
            seconds=AVERAGE_SECONDS,
            facts={**jobs[0].facts, "arm": "source", "group": source, "seed": None},
        )
        return self.jobs[ident]

    def _features_of(self, run: Run, cfg: CfgNode) -> list[Job]:
        """The jobs that keep the features which a run reads: one for each task, none where the image tower is tuned."""
        unread = cfg.TEST.NO_TEST or not cfg.DATALOADER.FEATURE_CACHE_MB
        if not self.experiment.features or unread or towers(cfg)[1]:
            return []
        jobs = [self._task_features(run, cfg, task) for task in run.tasks]
        return [job for job in jobs if job is not None]

    def _task_features(self, run: Run, cfg: CfgNode, task: str) -> Job | None:
        """Encodes the images of a task: all test images, and the training images of the first shots and seed.

        The untrained baseline reads features that others read, but alone, once, it needs none kept.
        """
        rooms = ("MODEL.BACKBONE.", "INPUT.", "DATASET.S", "DATASET.MERGE", "DATASET.ON_BAD", "DATALOADER.VIEWS")
        kept = {key: value for key, value in decisive_options(cfg).items() if key.startswith(rooms)}
        kept |= {"INPUT.TRANSFORMS": None, "precision": precision(cfg), "task": task}
        key = job_id(["features", kept])
        if key in self.jobs or not run.shots:
            return self.jobs.get(key)
        shots, seed = self.experiment.shots[0], self.experiment.seeds[0]
        # A task without validation images has features to keep all the same.
        options = {**run.options, "TEST.FINAL_MODEL": "last_step"}
        one = Run("", "features", run.trainer, "", (task,), shots, seed, options=options)
        name = f"features/{folder_name(task)}-{key[:4]}"
        seconds, memory = self.cost.of_run(self.configurations.of_run(one, {}), "features")
        self.jobs[key] = Job(
            id=key,
            kind="features",
            name=name,
            command=self._command("features", one, {**options, "DATALOADER.FEATURE_DIR": str(self.root / STORE)}, name),
            outputs=(f"{name}/features.json",),
            seconds=seconds,
            memory_mb=memory,
            facts={"trainer": cfg.TRAINER.NAME, "arm": "", "group": "", "tasks": [task], "task": task},
        )
        return self.jobs[key]

    def _facts(self, run: Run) -> dict[str, Any]:
        facts = {"arm": run.arm, "group": run.group, "tasks": list(run.tasks), "shots": run.shots, "seed": run.seed}
        facts |= {"task": run.tasks[0]} if len(run.tasks) == 1 else {}
        if run.serves is not None:  # to be compared with the names in results
            facts["serves"] = [self.configurations.own_name(task) for task in run.serves]
        return facts

    def report(self, experiment_file: str) -> None:
        """The last job: all scores in one file, and the tables."""
        scored = [job for job in self.jobs.values() if any(path.endswith("/results.jsonl") for path in job.outputs)]
        ident = job_id(["report", sorted(job.id for job in scored)])
        file, folder = _config_word(experiment_file), str(self.root)
        self.jobs[ident] = Job(
            id=ident,
            kind="report",
            name="report",
            command=("mvlpt", "experiment", "--config-file", file, "--output-dir", folder, "--only-report"),
            needs=tuple(job.id for job in scored),
            inputs=tuple(f"{job.name}/results.jsonl" for job in scored),
            outputs=("results.jsonl",),
            seconds=REPORT_SECONDS,
        )


def _task_word(task: str) -> str:
    """A task as a command names it: one that is a file or a folder by its whole path."""
    return os.path.abspath(task) + "/" * task.endswith("/") if os.path.exists(task) and "/" in task else task


def _config_word(file: str) -> str:
    """A configuration file as a command names it: a shipped one by its short name, another by its whole path."""
    import mvlpt

    found = find_config(file).resolve()
    for shipped in (Path(mvlpt.__file__).parent / "configs", Path(mvlpt.__file__).parent.parent / "configs"):
        if found.is_relative_to(shipped.resolve()):
            return str(Path("configs") / found.relative_to(shipped.resolve()))
    return str(found)


def check_same_folder(plan: Plan, before: Plan, root: Path) -> None:
    """Whether a plan may go on in the folder of an earlier one: no folder of a run is given to another run.

    Raises:
        PlanError: names the first such run.
    """
    known = {job.name: job for job in before if job.kind not in ("report", "features", "average")}
    for job in plan:
        old = known.get(job.name)
        if old is not None and old.id != job.id and (root / old.name).exists():
            raise PlanError(
                f"{root} holds another experiment: '{job.name}' has other options or tasks there (job {old.id}, here "
                f"{job.id}); choose another --output-dir, or delete {root / old.name}"
            )

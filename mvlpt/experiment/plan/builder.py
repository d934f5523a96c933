"""From an experiment and its groups to jobs: features, runs, means of source prompts, adaptations, a report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from mvlpt.engine import result_affecting_options
from mvlpt.errors import PlanError
from mvlpt.experiment.arms import Run, StartPrompt, planned_runs
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.model import CostModel
from mvlpt.experiment.costs.tuning import Tuning, tuning_of
from mvlpt.experiment.plan.commands import STORE, config_word, full_paths, run_command
from mvlpt.experiment.plan.earlier import PROMPT, EarlierJobs
from mvlpt.experiment.plan.features import FeatureJobs
from mvlpt.experiment.plan.start_shares import with_start_share
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping
from mvlpt.schedule import Job, Plan, job_id

# Options that say where a prompt comes from; in an id the ids of the jobs that tuned it stand for them.
START_OPTIONS = ("RUN.INIT_FROM", "RUN.INIT_EPOCH", "RUN.MODE")
REPORT_SECONDS, AVERAGE_SECONDS = 2.0, 0.5


def build_plan(
    experiment: Experiment,
    root: str | os.PathLike[str],
    groupings: Grouping | Mapping[str, Grouping] | None = None,
    cost: CostModel | None = None,
    experiment_file: str = "",
) -> Plan:
    """The jobs of an experiment.

    A job's id is the hash of the options that affect its result and of the ids of the jobs whose prompts it starts
    from. It does not depend on the folder, nor on the order of seeds, tasks or arms.

    Args:
        experiment: what to compare.
        root: the experiment's folder; it need not exist.
        groupings: for arms that follow groups: a grouping of the tasks, or one for each trainer's configuration file.
        cost: estimates seconds and memory.
        experiment_file: where the experiment was read from; with it the plan ends in a report.

    Raises:
        ConfigError: options, trainers or tasks that cannot be used, all in one message.
        PlanError: groups that do not fit, or two jobs with one folder.
    """
    runs = planned_runs(experiment, groupings)
    return plan_of_runs(experiment, root, runs, cost, experiment_file)[0]


def plan_of_runs(
    experiment: Experiment,
    root: str | os.PathLike[str],
    runs: Iterable[Run],
    cost: CostModel | None = None,
    experiment_file: str = "",
) -> tuple[Plan, dict[str, str]]:
    """The jobs of runs that are given, and the folder of each run by its name; arguments and errors as those above.

    A run has another folder than its name says where the folder holds the same run under another name.
    """
    builder = _Builder(experiment, Path(os.path.abspath(root)), cost or CostModel())
    builder.configurations.check()
    folders = {run.name: builder.add(run).name for run in runs}
    if experiment_file:
        builder.add_report(experiment_file)
    metadata = {"experiment": experiment_file, "tasks": list(experiment.all_tasks), "seeds": list(experiment.seeds)}
    metadata["root"] = str(builder.root)
    return Plan(list(builder.jobs.values()), metadata), folders


class _Builder:
    """Adds jobs; a run that is added twice is one job."""

    def __init__(self, experiment: Experiment, root: Path, cost: CostModel) -> None:
        self.experiment, self.root, self.cost = experiment, root, cost
        self.configurations = Configurations(experiment)
        self.jobs: dict[str, Job] = {}
        self._starts: dict[StartPrompt, Job] = {}
        self._other_ids: dict[StartPrompt, str] = {}
        self._earlier = EarlierJobs(root)
        self._features = FeatureJobs(self.configurations, root, cost, self.jobs, self._earlier)

    def add(self, run: Run) -> Job:
        """The job of a run, after those that tune the prompt it starts from."""
        run = with_start_share(run, self.configurations)
        start = self._start_job(run.start) if run.start is not None else None
        labels = _labels_as_options(run)
        cfg = self.configurations.of_run(run, labels)
        tuning = tuning_of(cfg)
        if start is None and run.kind == "train" and tuning.teacher:
            raise PlanError(
                f"{run.name} cannot distil, since it starts from no prompt; set TRAINER.MVLPT.DISTILL.WEIGHT in"
                " arm_options, for arms that adapt one: adapted, transfer"
            )
        ident = self._earlier.run_id(run, _identity(cfg), self._start_ids(run.start))
        if ident not in self.jobs:
            group = self._earlier.group(ident, run.group)
            labels |= {"RUN.GROUP": group} if group else {}
            options = {**run.options, **full_paths(cfg)}
            run = dataclasses.replace(run, name=self._earlier.name(ident, run.name), group=group, options=options)
            features = self._features.of_run(run, cfg, tuning)  # before the run that needs them
            self.jobs[ident] = self._job(ident, run, cfg, tuning, {**run.options, **labels}, features, start)
        return self.jobs[ident]

    def _job(
        self,
        ident: str,
        run: Run,
        cfg: CfgNode,
        tuning: Tuning,
        options: Mapping[str, Any],
        features: Sequence[Job],
        start: Job | None,
    ) -> Job:
        kept = {"DATALOADER.FEATURE_DIR": str(self.root / STORE)} if features else {}
        seconds, memory = self.cost.of_run(cfg, run.kind, features_kept=bool(features), tuning=tuning)
        scores = [] if cfg.TEST.NO_TEST else [f"{run.name}/results.jsonl"]
        begins = self._earlier.start(ident, start.name) if start else None
        return Job(
            id=ident,
            kind=run.kind,
            name=run.name,
            command=run_command(
                "train",
                run,
                {**options, **kept},
                self.root / run.name,
                self.experiment.plugins,
                self.root / begins if begins else None,
            ),
            needs=(*([start.id] if start else []), *(job.id for job in features)),
            inputs=(*([f"{begins}{PROMPT}"] if begins else []), *([STORE] if features else [])),
            outputs=(f"{run.name}/run.json", *scores),
            seconds=seconds,
            memory_mb=memory,
            labels={"trainer": cfg.TRAINER.NAME, **self._labels(run)},
        )

    def _labels(self, run: Run) -> dict[str, Any]:
        """What tables group jobs by."""
        labels = {"arm": run.arm, "group": run.group, "tasks": list(run.tasks), "shots": run.shots, "seed": run.seed}
        labels |= {"task": run.tasks[0]} if len(run.tasks) == 1 else {}
        if run.serves is not None:  # to be compared with the names in results
            labels["serves"] = [self.configurations.own_name(task) for task in run.serves]
        return labels

    def _start_job(self, start: StartPrompt) -> Job:
        """The job that leaves a prompt: a run, or the mean of several."""
        if start not in self._starts:
            jobs = [self.add(run) for run in start.runs]
            self._starts[start] = self._average(start, jobs) if len(jobs) > 1 else jobs[0]
        return self._starts[start]

    def _start_ids(self, start: StartPrompt | None) -> list[str]:
        """The id of the job that leaves a prompt, and its id if runs with a test had none, and the others had one.

        A test does not change a prompt, so adaptations of an earlier plan stay when the experiment gets the arm of the
        run that they start from, or loses it.
        """
        return [self._start_job(start).id, self._other_start_id(start)] if start is not None else []

    def _other_start_id(self, start: StartPrompt) -> str:
        if start not in self._other_ids:
            ids = [self._other_id(run) for run in start.runs]
            self._other_ids[start] = _average_id(ids) if len(ids) > 1 else ids[0]
        return self._other_ids[start]

    def _other_id(self, run: Run) -> str:
        """The id of a run with ``TEST.NO_TEST`` the other way round."""
        run = with_start_share(run, self.configurations)
        cfg = self.configurations.of_run(run, _labels_as_options(run))
        cfg.TEST.NO_TEST = not cfg.TEST.NO_TEST
        return self._earlier.run_id(run, _identity(cfg), self._start_ids(run.start))

    def _average(self, start: StartPrompt, jobs: Sequence[Job]) -> Job:
        ident = self._earlier.known([_average_id([job.id for job in jobs]), self._other_start_id(start)])
        name = self._earlier.name(ident, start.mean_folder)
        folders = [str(self.root / job.name) for job in jobs]
        self.jobs[ident] = Job(
            id=ident,
            kind="average",
            name=name,
            command=("mvlpt", "average", *folders, "--output-dir", str(self.root / name), "--resume"),
            needs=tuple(job.id for job in jobs),
            inputs=tuple(f"{job.name}{PROMPT}" for job in jobs),
            outputs=(f"{name}{PROMPT}/model-best.pth.tar", f"{name}/average.json"),
            seconds=AVERAGE_SECONDS,
            labels={**jobs[0].labels, "arm": "source", "group": self._earlier.group(ident, start.source), "seed": None},
        )
        return self.jobs[ident]

    def add_report(self, experiment_file: str) -> None:
        """The last job: all scores in one file, and the tables."""
        scored = [job for job in self.jobs.values() if any(path.endswith("/results.jsonl") for path in job.outputs)]
        ident = job_id(["report", sorted(job.id for job in scored)])
        file, folder = config_word(experiment_file), str(self.root)
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


def _labels_as_options(run: Run) -> dict[str, Any]:
    return {"RUN.ARM": run.arm, **({"RUN.GROUP": run.group} if run.group else {})}


def _identity(cfg: CfgNode) -> dict[str, Any]:
    """The options that affect a run's result, but for those that say where its prompt comes from."""
    options = result_affecting_options(cfg, pinned=False)  # a file that is asked for makes another job
    return {key: value for key, value in options.items() if key not in START_OPTIONS}


def _average_id(ids: Iterable[str]) -> str:
    return job_id(["average", sorted(ids)])

"""The experiments behind ``benchmarks/sharing.py``: all ways to share, for one trainer, number of shots and seed."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import sys
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sharing_table import CHOSEN, ESTIMATE, KEEP, PAIR, SHORT
from benchmarks.start_share import blended_scores
from benchmarks.validation_tasks import SUFFIX, validation_names
from mvlpt.cli import main as run_mvlpt
from mvlpt.experiment import Experiment, preview_experiment, run_experiment
from mvlpt.experiment.grouping import GroupingOptions, experiment_requests, find_groups
from mvlpt.graph import Grouping, write_groups

PLUGIN = str(Path(__file__).with_name("validation_tasks.py"))
TRAINERS = {
    "VPT": "configs/trainers/MVLPT-VPT/embedded.yaml",
    "CoOp": "configs/trainers/MVLPT-CoOp/embedded.yaml",
    "UPT": "configs/trainers/MVLPT-UPT/embedded_joint.yaml",
}
SHARED = {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}
WHOLE = {"RUN.START_SHARE": 0.0}  # the part "shares" follows from it
ESTIMATORS = ("visual.centred", "visual", "label", "grad")
PAIR_TASKS = 12
SHORT_SHARE = 0.15  # of the epochs, in pair runs that are to predict those of full length


def measured_tasks(quick: bool) -> tuple[str, ...]:
    """Names of the tasks: all, or two subjects in three looks."""
    names = sorted(validation_names())
    return tuple(name for name in names if not quick or name.startswith(("tools-", "weather-")))


def partitions(tasks: Sequence[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Groups by look and by subject, and the plain tasks against the rest."""
    looks, subjects = {}, {}
    for task in tasks:
        subject, look = task.removesuffix(SUFFIX).split("-")
        looks.setdefault(look, []).append(task)
        subjects.setdefault(subject, []).append(task)
    rest = [task for task in tasks if task not in looks["plain"]]
    found = {"look": looks.values(), "plain": [looks["plain"], rest], "subject": subjects.values()}
    return {name: tuple(tuple(group) for group in groups) for name, groups in found.items()}


def arm_names(tasks: Sequence[str]) -> tuple[str, ...]:
    """The fixed arms as the table names them, each task alone first."""
    adapted = [f"{kind}-{name}" for name in partitions(tasks) for kind in ("grouped", "adapted")]
    return ("single", "all", "adapted-all", *adapted)


class Suite:
    """What is measured with one trainer, number of shots and seed; every run is kept in the folder.

    Args:
        args: of the command line.
        trainer: its short name.
        shots: images a class.
        seed: of sampling, prompt and order.
    """

    def __init__(self, args: argparse.Namespace, trainer: str, shots: int, seed: int) -> None:
        self.args, self.trainer, self.shots, self.seed = args, trainer, shots, seed
        self.tasks = measured_tasks(args.quick)
        self.folder = Path(args.work) / trainer / f"{shots}shot" / f"seed{seed}"

    def rows(self, part: str) -> list[dict[str, Any]]:
        """Runs a part of the measurement; returns its rows of the table."""
        if part == "estimates":
            return self._estimates()
        if part == SHORT:
            return self._short()
        if part == "shares":
            return [row for found in self.experiments("arms") for row in self._shares(*found)]
        return [row for found in self.experiments(part) for row in self._run(*found)]

    def seconds(self, part: str) -> float:
        """What a part is estimated to take on one core of this machine; runs nothing."""
        total = 0.0
        for name, experiment, _ in self.experiments(part):
            total += sum(job.seconds for job in preview_experiment(experiment, self.folder / name).plan)
        return total

    def experiments(self, part: str) -> Iterator[tuple[str, Experiment, str]]:
        """The experiments of a part: folder, experiment, and the label of its arms in the table."""
        if part == "arms":
            yield "fixed", self._experiment(arms=("single", "all")), ""
            yield "all", self._adapted(arms=("adapted",), adapt_from=("all",)), "all"
            for name, groups in partitions(self.tasks).items():
                file = self.folder / f"{name}.yaml"
                self.folder.mkdir(parents=True, exist_ok=True)
                write_groups(Grouping(groups), file)
                fields = {"arms": ("grouped", "adapted"), "adapt_from": ("grouped",), "grouping": {"file": str(file)}}
                yield name, self._adapted(**fields), name
        elif part == "pairs":
            yield "pairs", self._experiment(tasks=self._pair_tasks(), arms=(PAIR,)), ""
        elif part == SHORT:
            epochs = {"OPTIM.MAX_EPOCH": max(1, round(SHORT_SHARE * self.args.epochs))}
            yield SHORT, self._experiment(tasks=self._pair_tasks(), arms=("single", PAIR), options=epochs), ""
        elif part == CHOSEN:
            budget = {"budget": self.args.budget} if self.args.budget else {}
            grouping = {"method": "choose", **budget}
            name = f"chosen-{self.args.budget:g}" if self.args.budget else "chosen"
            yield name, self._experiment(arms=(CHOSEN,), grouping=grouping), ""

    def _experiment(self, **changes: Any) -> Experiment:
        """An experiment in which every arm visits every task equally often."""
        fields = {
            "tasks": self.tasks,
            "trainers": (TRAINERS[self.trainer],),
            "shots": (self.shots,),
            "seeds": (self.seed,),
            "options": {"OPTIM.MAX_EPOCH": self.args.epochs},
            "arm_options": dict.fromkeys(("all", "grouped", CHOSEN, PAIR), SHARED),
            "executor": {"name": "inline"},
            "plugins": (PLUGIN,),
            **changes,
        }
        return Experiment(**fields)

    def _adapted(self, **changes: Any) -> Experiment:
        """An experiment whose adapted prompts keep nothing of their start."""
        experiment = self._experiment(**changes)
        return dataclasses.replace(experiment, arm_options={**experiment.arm_options, "adapted": WHOLE})

    def _run(self, folder: str, experiment: Experiment, label: str) -> Iterator[dict[str, Any]]:
        """Rows of the table; a label takes the place of the arm's start or groups."""
        with contextlib.redirect_stdout(io.StringIO()):  # the tables of every run
            result = run_experiment(experiment, self.folder / folder, run_command=run_mvlpt, measure=False)
        if result.state != "finished":
            raise SystemExit(f"{self.folder / folder}: {result.state}; run the same command again")
        for row in result.rows:
            arm = row["arm"] + (f"-{label}" if label else "")
            group = "+".join(name.removesuffix(SUFFIX) for name in row["group"].split("+")) if arm == PAIR else ""
            yield self.row(arm, group, row["task"], row["value"])

    def _shares(self, folder: str, experiment: Experiment, label: str) -> Iterator[dict[str, Any]]:
        """Rows of adapted prompts that keep a share of their start; trains what the part ``arms`` has not yet."""
        if not label:
            return
        list(self._run(folder, experiment, label))
        for share, task, value in blended_scores(experiment, self.folder / folder):
            yield self.row(f"{KEEP}{100 * share:.0f}-{label}", "", task, value)

    def row(self, arm: str, group: str, task: str, value: float) -> dict[str, Any]:
        """A row of the table."""
        key = {"trainer": self.trainer, "shots": self.shots, "seed": self.seed, "arm": arm, "group": group}
        return {**key, "task": task.removesuffix(SUFFIX), "value": round(float(value), 4)}

    def _pair_tasks(self) -> tuple[str, ...]:
        tasks = self.tasks[:: max(1, len(self.tasks) // PAIR_TASKS)][:PAIR_TASKS]
        return tasks[:4] if self.args.quick else tasks

    def _short(self) -> list[dict[str, Any]]:
        """Gains of pair runs of few epochs, as an estimator of those of full length."""
        rows = [row for found in self.experiments(SHORT) for row in self._run(*found)]
        alone = {row["task"]: row["value"] for row in rows if row["arm"] == "single"}
        found = []
        for row in rows:
            if row["arm"] == PAIR:
                [source] = set(row["group"].split("+")) - {row["task"]}
                gain = row["value"] - alone[row["task"]]
                found.append(self.row(f"{ESTIMATE}{SHORT}", source, row["task"], gain))
        return found

    def _estimates(self) -> list[dict[str, Any]]:
        """Each estimator's matrix from this seed's images."""
        tasks, found = self._pair_tasks(), []
        experiment = self._experiment(tasks=tasks, arms=("single",))
        for name in ESTIMATORS:
            options = GroupingOptions(**({"affinity": name} if name == "grad" else {"similarity": name}))
            [request] = experiment_requests(experiment, options)
            result = find_groups(request, self.folder / "estimates" / name)
            for (i, source), (j, target) in permutations(enumerate(result.graph.tasks), 2):
                found.append(self.row(f"{ESTIMATE}{name}", source.removesuffix(SUFFIX), target, result.matrix[i, j]))
        return found

"""Does choosing what tasks share help? All arms and the chooser on validation designers, over shots and seeds.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/sharing.py --work output/sharing            # hours
    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/sharing.py --work output/quick --quick      # minutes

Every measurement is a run of an experiment in ``--work``; the same command goes on where it was stopped. The scores go
to a small table, from which the rest is computed, and which ``--table-only`` prints again without a run:

- the ceiling: split-half reliability between seeds, of the arms' gains over alone and of the gains of pairs;
- each estimator's rank correlation with pair gains within targets, and its share of the ceiling;
- the regret of the chooser against the best fixed arm in hindsight, its gain over alone, with 95 % intervals.

The chooser picks anew for every seed. Its budget is a share of what all arms cost with that one seed.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from sharing_statistics import bootstrap, clearly_worse, split_half_reliability, within_target
from validation_tasks import SUFFIX, validation_names

from mvlpt.experiment import Experiment, run_experiment
from mvlpt.experiment.grouping import GroupingOptions, experiment_requests, find_groups
from mvlpt.graph import Grouping, write_groups
from mvlpt.graph.similarity import spearman
from mvlpt.io import atomic_write

PLUGIN = str(Path(__file__).with_name("validation_tasks.py"))
RESULTS = Path(__file__).with_name("results")
FIELDS = ("trainer", "shots", "seed", "arm", "group", "task", "value")
TRAINERS = {name: f"configs/trainers/MVLPT-{name}/embedded.yaml" for name in ("VPT", "CoOp", "UPT")}
SHARED = {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}
ESTIMATORS = ("visual", "label", "grad")
PAIR_TASKS = 12


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


class Suite:
    """The experiments of one trainer and number of shots.

    Args:
        args: of the command line.
        trainer: its short name.
        shots: images a class.
    """

    def __init__(self, args: argparse.Namespace, trainer: str, shots: int) -> None:
        self.args, self.trainer, self.shots = args, trainer, shots
        self.tasks = measured_tasks(args.quick)
        self.seeds = tuple(range(1, args.seeds + 1))
        self.folder = Path(args.work) / trainer / f"{shots}shot"

    def experiment(self, **changes: object) -> Experiment:
        """An experiment in which every arm visits every task equally often."""
        fields = {
            "tasks": self.tasks,
            "trainers": (TRAINERS[self.trainer],),
            "shots": (self.shots,),
            "seeds": self.seeds,
            "options": {"OPTIM.MAX_EPOCH": self.args.epochs},
            "arm_options": dict.fromkeys(("all", "grouped", "chosen", "pair"), SHARED),
            "executor": {"name": "local", "slots": self.args.slots},
            "plugins": (PLUGIN,),
            **changes,
        }
        return Experiment(**fields)

    def run(self, name: str, experiment: Experiment, label: str = "") -> Iterator[dict[str, object]]:
        """Rows of the table; a label takes the place of the arm's start or groups."""
        result = run_experiment(experiment, self.folder / name, measure=False)
        if result.state != "finished":
            raise SystemExit(f"{self.folder / name}: {result.state}; run the same command again")
        for row in result.rows:
            arm = row["arm"] + (f"-{label}" if label and row["arm"] != "single" else "")
            group = row["group"] if row["arm"] == "pair" else ""
            key = {"trainer": self.trainer, "shots": self.shots, "seed": row["seed"], "arm": arm, "group": group}
            yield {**key, "task": row["task"], "value": round(row["value"], 3)}

    def arms(self) -> Iterator[dict[str, object]]:
        """All fixed arms, and the chooser for each seed."""
        yield from self.run("fixed", self.experiment(arms=("single", "all")))
        yield from self.run("all", self.experiment(arms=("adapted",), adapt_from=("all",)), "all")
        for name, groups in partitions(self.tasks).items():
            file = self.folder / f"{name}.yaml"
            self.folder.mkdir(parents=True, exist_ok=True)
            write_groups(Grouping(groups), file)
            fields = {"arms": ("grouped", "adapted"), "adapt_from": ("grouped",), "grouping": {"file": str(file)}}
            yield from self.run(name, self.experiment(**fields), name)
        for seed in self.seeds:
            grouping = {"method": "choose", "budget": self.args.budget}
            experiment = self.experiment(arms=("chosen",), seeds=(seed,), grouping=grouping)
            yield from self.run(f"chosen-{self.args.budget:g}/seed{seed}", experiment)

    def pairs(self) -> Iterator[dict[str, object]]:
        """Every pair of some tasks; each alone is among the arms."""
        tasks = self.tasks[:: max(1, len(self.tasks) // PAIR_TASKS)][:PAIR_TASKS]
        tasks = tasks[:4] if self.args.quick else tasks
        yield from self.run("pairs", self.experiment(tasks=tasks, arms=("pair",)))

    def estimates(self, tasks: Sequence[str]) -> dict[str, np.ndarray]:
        """Each estimator's matrix, from the images of the first seed."""
        found = {}
        experiment = self.experiment(tasks=tuple(tasks), arms=("single",))
        for name in ESTIMATORS:
            options = GroupingOptions(**({"affinity": name} if name == "grad" else {"similarity": name}))
            [request] = experiment_requests(experiment, options)
            result = find_groups(request, self.folder / "estimates" / name)
            order = [result.graph.tasks.index(task) for task in tasks]
            found[name] = result.matrix[np.ix_(order, order)]
        return found


def write_table(rows: Iterable[Mapping[str, object]], file: Path) -> None:
    """Writes the table; the file appears whole."""
    with atomic_write(file) as handle:
        writer = csv.DictWriter(handle, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def read_table(file: Path) -> list[dict[str, object]]:
    """The rows of a table that was written before."""
    with file.open(newline="", encoding="utf-8") as handle:
        kinds = {"shots": int, "seed": int, "value": float}
        return [{key: kinds.get(key, str)(value) for key, value in row.items()} for row in csv.DictReader(handle)]


def print_arms(rows: Sequence[Mapping[str, object]]) -> None:
    """Means of the arms, their ceiling, and the chooser's regret."""
    tasks, seeds = sorted({row["task"] for row in rows}), sorted({row["seed"] for row in rows})
    names = [name for name in dict.fromkeys(row["arm"] for row in rows) if name != "pair"]
    scores = np.full((len(names), len(tasks), len(seeds)), np.nan)
    for row in rows:
        if row["arm"] != "pair":
            scores[names.index(row["arm"]), tasks.index(row["task"]), seeds.index(row["seed"])] = row["value"]
    for name, arm in zip(names, scores, strict=True):
        over_seeds = arm.mean(axis=0)
        spread = over_seeds.std(ddof=1) if len(seeds) > 1 else math.nan
        print(f"  {name:18} {arm.mean():5.1f} ± {spread:.1f}")
    fixed = [index for index, name in enumerate(names) if name != "chosen"]
    ceiling = split_half_reliability(scores[fixed[1:]] - scores[fixed[0]])
    print(f"  ceiling: split-half reliability of the arms' gains over alone {ceiling:.2f} ({len(seeds)} seeds)")
    if "chosen" in names:
        chosen, arms = scores[names.index("chosen")], scores[fixed]
        found = bootstrap(chosen, arms)
        for name, (value, low, high) in found.items():
            words = {"regret": "regret against the best fixed arm", "gain": "gain over alone"}[name]
            print(f"  chosen: {words} {value:+.2f} [{low:+.2f}, {high:+.2f}]")
        print(f"  chosen: more than one standard error below alone on {clearly_worse(chosen, arms[0]):.0%} of tasks")


def print_pairs(rows: Sequence[Mapping[str, object]], suite: Suite | None) -> None:
    """The ceiling of pair gains within targets, and each estimator's share of it."""
    pairs = [row for row in rows if row["arm"] == "pair"]
    if not pairs:
        return
    tasks, seeds = sorted({row["task"] for row in pairs}), sorted({row["seed"] for row in pairs})
    alone = {(row["task"], row["seed"]): row["value"] for row in rows if row["arm"] == "single"}
    gains = np.full((len(tasks), len(tasks), len(seeds)), np.nan)
    for row in pairs:
        [other] = [task for task in tasks if task != row["task"] and task in str(row["group"]).split("+")]
        index = tasks.index(other), tasks.index(row["task"]), seeds.index(row["seed"])
        gains[index] = row["value"] - alone[row["task"], row["seed"]]
    inside = within_target(gains)
    ceiling = split_half_reliability(inside)
    print(f"  {len(pairs)} pair gains: mean {np.nanmean(gains):+.2f}, {np.nanmean(gains > 0):.0%} above 0")
    print(f"  ceiling within targets: split-half reliability {ceiling:.2f} ({len(seeds)} seeds)")
    known, mean = ~np.eye(len(tasks), dtype=bool), inside.mean(axis=2)
    for name, matrix in (suite.estimates(tasks) if suite else {}).items():
        centred = np.where(known, matrix, np.nan)
        centred = centred - np.nanmean(centred, axis=0, keepdims=True)
        rho = spearman(centred[known], mean[known])
        share = f"{rho / math.sqrt(ceiling):.0%} of the ceiling" if ceiling > 0 else "no ceiling to compare with"
        sign = np.nanmean((centred[known] > 0) == (mean[known] > 0))
        print(f"  {name:8} within targets: rho {rho:+.2f}, {share}; sign right for {sign:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/sharing", help="folder of the runs")
    parser.add_argument("--quick", action="store_true", help="6 tasks, 2 seeds, 2 shots, CoOp, 3 epochs: does it run?")
    parser.add_argument("--trainers", default="VPT,CoOp,UPT")
    parser.add_argument("--shots", default="1,2,4,8")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--budget", type=float, default=0.75, help="0.75 is a quarter of what three seeds cost")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--no-pairs", action="store_true", help="leave out the pairs")
    parser.add_argument(
        "--table", default="", help="the table (default: benchmarks/results/sharing.csv; with --quick in --work)"
    )
    parser.add_argument("--table-only", action="store_true", help="print what the table says; run nothing")
    args = parser.parse_args()
    if args.quick:
        args.trainers, args.shots, args.seeds, args.epochs = "CoOp", "2", 2, 3
    table = Path(args.table or (Path(args.work) if args.quick else RESULTS) / "sharing.csv")
    rows = read_table(table) if args.table_only else []
    for trainer in args.trainers.split(","):
        for shots in map(int, args.shots.split(",")):
            suite = Suite(args, trainer, shots)
            if not args.table_only:
                rows += suite.arms()
                rows += [] if args.no_pairs else suite.pairs()
                write_table(rows, table)
            mine = [row for row in rows if (row["trainer"], row["shots"]) == (trainer, shots)]
            if mine:
                print(f"{trainer}, {shots} shots, validation designers")
                print_arms(mine)
                print_pairs(mine, None if args.table_only else suite)


if __name__ == "__main__":
    main()

"""Which grouping without any training finds the tasks that should share a prompt? The default was chosen by this.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/training_free.py --work output/training_free
    python benchmarks/training_free.py --quick

``benchmarks/sharing.py`` shows that groups by look serve the embedded tasks best, for visual and for text prompts. So
a rule is as good as its groups agree with the looks: the adjusted Rand index (Hubert & Arabie 1985), 1 for equal
partitions and 0 on average for random ones. Each rule picks the number of groups itself. Only training images are read,
over shots and seeds: all 24 tasks, and random subsets of 6 and 12, since a rule that looks at all tasks at once might
need many. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

from mvlpt.experiment import load_experiment, register
from mvlpt.experiment.grouping import GroupingOptions, build_task_graph, experiment_requests
from mvlpt.graph import TaskGraph, group_tasks
from mvlpt.graph.similarity import centred

EXPERIMENT = "configs/experiments/demo.yaml"
WEIGHTED = ("visual=0.5,label=0.5", "label", "visual", "visual.mean", "visual.prototypes", "visual.cka")
CENTRED = ("visual.frechet", "visual.mean", "visual.prototypes", "visual.transport", "visual.cka")
SUBSETS, DRAWS = (6, 12), 10


def matrices(graph: TaskGraph) -> dict[str, np.ndarray]:
    """Each rule's similarities (T, T)."""
    found = {name: graph.combined(name) for name in WEIGHTED}
    centrings = {f"centred {name}": centred(graph.matrix(name)) for name in CENTRED}
    return {**found, **centrings, "visual without label": _residual(graph.combined("visual"), graph.combined("label"))}


def _residual(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What a linear regression on another similarity leaves of one, over pairs, from 0 to 1."""
    pairs = np.triu_indices(len(values), 1)
    slope = np.polyfit(other[pairs], values[pairs], 1)[0] if np.ptp(other[pairs]) > 0 else 0.0
    rest = values - slope * other
    low, high = rest[pairs].min(), rest[pairs].max()
    return np.clip((rest - low) / max(high - low, 1e-12), 0, 1)


def agreement(matrix: np.ndarray, tasks: Sequence[str]) -> tuple[int, float]:
    """The number of groups, and their adjusted Rand index with the looks."""
    groups = group_tasks(matrix, tasks, kind="similarity").groups
    label = {task: number for number, group in enumerate(groups) for task in group}
    return len(groups), float(adjusted_rand_score([task.split("-")[1] for task in tasks], [label[t] for t in tasks]))


def task_graph(shots: int, seed: int, folder: Path, quick: bool) -> TaskGraph:
    """The graph of the demo's tasks with other images."""
    experiment = dataclasses.replace(load_experiment(EXPERIMENT), shots=(shots,), seeds=(seed,))
    if quick:
        some = tuple(task for task in experiment.tasks if task.startswith(("tools", "weather", "power")))
        experiment = dataclasses.replace(experiment, tasks=some)
    [request] = experiment_requests(experiment, GroupingOptions())
    return build_task_graph(request, folder / f"{shots}shot-seed{seed}").graph


def main() -> None:
    """Prints a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", help="folder of the graphs, kept for the next time (default: a temporary one)")
    parser.add_argument("--shots", default="1,2,4")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="9 tasks, 1 shot, 2 seeds")
    args = parser.parse_args()
    register()
    draws = (
        [(1, 1), (1, 2)]
        if args.quick
        else [(n, s) for n in map(int, args.shots.split(",")) for s in range(1, args.seeds + 1)]
    )
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for shots, seed in draws:
            graph = task_graph(shots, seed, Path(args.work or temporary), args.quick)
            some = random.Random(seed)
            parts = [graph] + [
                graph.subset(some.sample(graph.tasks, n)) for n in SUBSETS if n < len(graph) for _ in range(DRAWS)
            ]
            for part in parts:
                for name, matrix in matrices(part).items():
                    count, index = agreement(matrix, part.tasks)
                    row = found.setdefault(name, {})
                    row.setdefault(f"of {len(part)}", []).append(index)
                    row.setdefault("groups", []).extend([count] if part is graph else [])
    columns = [key for key in next(iter(found.values())) if key != "groups"]
    print(f"Agreement with the looks over {len(draws)} draws of images, mean (smallest)")
    print(f"{'rule':<28}{'groups':>8}" + "".join(f"{column + ' tasks':>16}" for column in columns))
    for name, row in found.items():
        cells = "".join(f"{statistics.mean(row[c]):>9.2f} ({min(row[c]):.2f})" for c in columns)
        print(f"{name:<28}{min(row['groups'])}-{max(row['groups']):<6}{cells}")
    means = {name: {c: round(statistics.mean(row[c]), 3) for c in columns} for name, row in found.items()}
    print(json.dumps({"quick": args.quick, "agreement": means}))


if __name__ == "__main__":
    main()

"""How fast and how good groups of tasks are found.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/grouping.py
    python benchmarks/grouping.py --quick

*Exact*: 20 tasks with random similarities, which are the hardest, and with planted groups, without limits and with
every kind of limit; seconds until the optimum is proved. *Large*: 1,000 tasks by each heuristic; seconds and peak
memory, in a separate process. *Planted*: 12 tasks in 3 groups, similarities of a stochastic block model with moderate
noise; in how many of 100 seeds in which the planted groups are the optimum ``exact`` returns them, and the mean gap of
each heuristic to the optimum, with and without planted groups. *Affinity*: on the embedded tasks, the cost of
affinities compared with all pair runs, and their rank correlation with measured gains. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from mvlpt.graph import group_tasks

HEURISTICS = ("louvain", "greedy", "spectral", "agglomerative")
REQUIRED = {"exact_seconds": 60.0, "large_seconds": 30.0, "large_mib": 1024.0}


def names(count: int) -> list[str]:
    """Task names."""
    return [f"task{number:04d}" for number in range(count)]


def noise(count: int, seed: int) -> np.ndarray:
    """Uniform similarities without structure."""
    matrix = np.random.default_rng(seed).uniform(size=(count, count))
    return (matrix + matrix.T) / 2


def blocks(count: int, groups: int, seed: int, spread: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of 0.6 within planted groups and 0.4 between them, with normal noise; and the groups."""
    planted = np.arange(count) % groups
    rng = np.random.default_rng(seed)
    matrix = 0.4 + 0.2 * (planted[:, None] == planted) + rng.normal(0, spread * np.sqrt(2), (count, count))
    return ((matrix + matrix.T) / 2).clip(0, 1), planted


def exact_section(quick: bool) -> dict:
    """Seconds until the optimum of 20 tasks is proved."""
    count = 14 if quick else 20
    tasks = names(count)
    classes = {task: 5 + 13 * number % 40 for number, task in enumerate(tasks)}
    limits = {
        "none": {},
        "3 groups": {"groups": 3},
        "10 groups": {"groups": 10},
        "at most 2": {"max_groups": 2},
        "size 4": {"max_size": 4},
        "size 5, 5 groups": {"max_size": 5, "groups": 5},
        "classes 120": {"max_classes": 120, "classes": classes},
        "links, 6 groups": {"must_link": [tasks[:2]], "cannot_link": [tasks[4:7], tasks[8:10]], "groups": 6},
    }
    print(f"\n{count} tasks, exact: seconds until proved, over seeds")
    print(f"{'limits':<20}{'noise, mean':>13}{'worst':>8}{'planted, mean':>15}{'worst':>8}{'limit':>7}")
    worst = 0.0
    for name, options in limits.items():
        spent: dict[str, list[float]] = {"noise": [], "planted": []}
        for seed, kind in itertools.product(range(2 if quick else 3), spent):
            matrix = noise(count, seed) if kind == "noise" else blocks(count, 4, seed)[0]
            started = time.perf_counter()
            found = group_tasks(matrix, tasks, method="exact", **options)
            spent[kind].append(time.perf_counter() - started)
            if found.gap != 0.0:
                raise SystemExit(f"not proved: {name}, seed {seed}")
        cells = "".join(
            f"{statistics.mean(times):>{width}.2f}{max(times):>8.2f}"
            for times, width in zip(spent.values(), (13, 15), strict=True)
        )
        print(f"{name:<20}{cells}{REQUIRED['exact_seconds']:>7.0f}", flush=True)
        worst = max(worst, *spent["noise"], *spent["planted"])
    return {"exact_tasks": count, "exact_worst_seconds": round(worst, 2)}


def _large(method: str, count: int, kind: str, queue: multiprocessing.Queue) -> None:
    """One heuristic in a separate process, whose peak memory is measured."""
    matrix = noise(count, 0) if kind == "noise" else blocks(count, 25, 0)[0]
    started = time.perf_counter()
    found = group_tasks(matrix, names(count), method=method)
    spent = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((spent, peak, len(found.groups), found.objective))


def large_section(quick: bool) -> dict:
    """1,000 tasks by each heuristic."""
    count = 200 if quick else 1000
    spawn = multiprocessing.get_context("spawn")
    print(f"\n{count} tasks by a heuristic: seconds, and peak MiB of the process")
    print(
        f"{'method':<15}{'similarities':<14}{'seconds':>8}{'limit':>7}{'MiB':>7}{'limit':>7}{'groups':>8}{'objective':>12}"
    )
    rows = {}
    for method, kind in itertools.product((*HEURISTICS, "auto"), ("planted", "noise")):
        queue = spawn.Queue()
        process = spawn.Process(target=_large, args=(method, count, kind, queue))
        process.start()
        spent, peak, groups, objective = queue.get(timeout=600)
        process.join()
        rows[f"{method} {kind}"] = {"seconds": round(spent, 2), "mib": round(peak)}
        limits = REQUIRED["large_seconds"], REQUIRED["large_mib"]
        print(
            f"{method:<15}{kind:<14}{spent:>8.2f}{limits[0]:>7.0f}{peak:>7.0f}{limits[1]:>7.0f}{groups:>8}{objective:>12.2f}",
            flush=True,
        )
    return {"large_tasks": count, "large": rows}


def planted_section(quick: bool) -> dict:
    """Gaps to the optimum for 12 tasks, in 3 planted groups and without structure."""
    seeds, tasks = 20 if quick else 100, names(12)
    recovered, counted, seed = 0, 0, 0
    gaps: dict[str, list[float]] = {method: [] for method in HEURISTICS}
    while counted < seeds:
        matrix, planted = blocks(12, 3, seed)
        seed += 1
        exact = group_tasks(matrix, tasks, method="exact")
        if score(matrix, planted) < exact.objective - 1e-9:
            continue  # noise made other groups better than the planted ones
        counted += 1
        expected = {tuple(task for task, group in zip(tasks, planted, strict=True) if group == g) for g in range(3)}
        recovered += set(exact.groups) == expected
        for method in HEURISTICS:
            gaps[method].append(group_tasks(matrix, tasks, method=method).gap)
    bare = {
        method: [group_tasks(noise(12, s), tasks, method=method).gap for s in range(seeds)] for method in HEURISTICS
    }
    print(f"\n12 tasks in 3 planted groups: exact finds them in {recovered} of {counted} seeds where they are optimal")
    print(f"({seed} seeds tried; in the others, noise made other groups better)")
    print(f"{'method':<15}{'mean gap, planted':>18}{'worst':>8}{'mean gap, noise':>17}{'worst':>8}")
    for method in HEURISTICS:
        found, empty = gaps[method], bare[method]
        print(
            f"{method:<15}{statistics.mean(found):>18.2%}{max(found):>8.2%}{statistics.mean(empty):>17.2%}{max(empty):>8.2%}"
        )
    return {
        "planted_recovered": recovered,
        "planted_seeds": counted,
        "planted_drawn": seed,
        "mean_gap_planted": {method: round(statistics.mean(values), 5) for method, values in gaps.items()},
        "mean_gap_noise": {method: round(statistics.mean(values), 5) for method, values in bare.items()},
    }


def score(matrix: np.ndarray, planted: np.ndarray) -> float:
    """The objective of given groups, as docs/grouping.md defines it."""
    pairs = list(itertools.combinations(range(len(matrix)), 2))
    mean = statistics.fmean(matrix[i, j] for i, j in pairs)
    return sum(matrix[i, j] - mean for i, j in pairs if planted[i] == planted[j])


def affinity_section(quick: bool) -> dict:
    """The cost and predictive value of affinities; loads torch, which the other sections do not need."""
    from benchmarks.affinity import affinity_section as measure

    return measure(quick)


SECTIONS: dict[str, Callable[[bool], dict]] = {
    "exact": exact_section,
    "large": large_section,
    "planted": planted_section,
    "affinity": affinity_section,
}


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS), help=f"only these of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="fewer tasks and seeds")
    args = parser.parse_args()
    result: dict = {"quick": args.quick}
    for name in args.sections.split(","):
        result |= SECTIONS[name](args.quick)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

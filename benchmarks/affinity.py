"""The cost of affinities on the embedded tasks, and how well they predict which tasks help each other.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/grouping.py --sections affinity      # some minutes

Times the first-order estimate (``--affinity grad``) for all 24 tasks, from the loaded backbone to the matrix, in CPU
time, so that other programs do not count. Random pairs are trained like the arm ``pair`` of an experiment, and each of
their tasks alone; the time of all 276 pair runs is 276 times the mean time of these, for one seed. The estimate must
cost at most a tenth of it. The rank correlation is Spearman's, over the ordered pairs that were trained, between an
affinity or similarity and the measured gain in accuracy, averaged over the seeds.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.engine import run_config, shared_resources
from mvlpt.experiment import load_experiment, register
from mvlpt.experiment.grouping import (
    GroupingOptions,
    GroupingRequest,
    affinity_config,
    build_task_graph,
    experiment_requests,
    task_losses,
    task_sources,
)  # fmt: skip
from mvlpt.graph.affinity import gradient_affinity, lookahead_affinity, measured_gains
from mvlpt.graph.similarity import spearman
from mvlpt.runtime import counting

EXPERIMENT = "configs/experiments/demo.yaml"
MAX_SHARE = 0.1  # of the time of all pair runs


def train(cfg: Any, folder: Path, tasks: tuple[str, ...], seed: int) -> tuple[list[dict[str, Any]], float]:
    """One run of the experiment: its results and its CPU seconds."""
    changed = cfg.clone()
    changed.defrost()
    changed.DATASET.DATASET, changed.SEED = ",".join(tasks), seed
    changed.RUN.ARM, changed.RUN.GROUP = ("pair", "+".join(tasks)) if len(tasks) > 1 else ("single", "")
    changed.DATASET.MULTITASK_LABEL_PERTASK, changed.DATALOADER.TASK_BATCHES = len(tasks) > 1, "single"
    changed.RUN.TENSORBOARD = False
    changed.OUTPUT_DIR = str(folder / f"{seed}" / "+".join(tasks))
    changed.freeze()
    start = time.process_time()
    return run_config(changed).rows, time.process_time() - start


def measure(request: GroupingRequest, folder: Path, pairs: int, seeds: int, points: int) -> dict[str, Any]:
    """Costs and rank correlations for one trainer; ``points`` of the look-ahead."""
    sources = task_sources(request.cfg)
    cfg = affinity_config(request.cfg)
    found, seconds = {}, {}
    for name, affinity, steps in (("grad", gradient_affinity, 10), ("lookahead", lookahead_affinity, points)):
        start = time.process_time()
        losses, optimizer = task_losses(cfg, sources)
        found[name] = affinity(losses, lr=cfg.OPTIM.LR, steps=steps, optimizer=optimizer)
        seconds[name] = time.process_time() - start
    similar = dataclasses.replace(request, options=GroupingOptions())
    graph = build_task_graph(similar, folder / "graph", counting).graph
    found |= {name: graph.matrix(name) for name in ("visual", "label")}
    all_pairs = list(combinations(graph.tasks, 2))
    chosen = random.Random(0).sample(all_pairs, min(pairs, len(all_pairs)))
    rows, times = [], []
    for seed in range(1, seeds + 1):
        for tasks in [*chosen, *((task,) for task in sorted({task for pair in chosen for task in pair}))]:
            results, took = train(request.cfg, folder, tasks, seed)
            rows += results
            times += [took] if len(tasks) == 2 else []
    gains = measured_gains(rows, graph.tasks)
    known = ~np.isnan(gains)
    total = float(np.mean(times)) * len(all_pairs)
    return {
        "trainer": cfg.TRAINER.NAME,
        "pair_run_s": round(float(np.mean(times)), 3),
        "all_pairs_s": round(total, 1),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "share": {name: round(value / total, 4) for name, value in seconds.items()},
        "measured": int(known.sum()),
        "mean_gain": round(float(gains[known].mean()), 2),
        "correlation": {name: round(spearman(matrix[known], gains[known]), 3) for name, matrix in found.items()},
    }


def report(result: dict[str, Any]) -> None:
    """Prints a short summary."""
    print(f"{result['trainer']}: a pair run takes {result['pair_run_s']} s, all 276 {result['all_pairs_s']:.0f} s")
    for name, value in result["seconds"].items():
        print(f"  {name:<10} {value:7.2f} s   {100 * result['share'][name]:5.1f} % of all pair runs")
    print(f"  rank correlation with {result['measured']} measured gains (mean {result['mean_gain']:+.2f} points):")
    print("    " + ", ".join(f"{name} {value:+.2f}" for name, value in result["correlation"].items()))


def affinity_section(quick: bool) -> dict[str, Any]:
    """Measures and prints, for each trainer of the experiment."""
    register()
    experiment = load_experiment(EXPERIMENT)
    pairs, seeds, points = (6, 1, 1) if quick else (30, 2, 3)
    results = []
    with tempfile.TemporaryDirectory() as folder, shared_resources():
        requests = experiment_requests(experiment, GroupingOptions(affinity="grad"))
        for request in requests[:1] if quick else requests:
            results.append(measure(request, Path(folder) / (request.suffix or "all"), pairs, seeds, points))
            report(results[-1])
    cheap = all(result["share"]["grad"] <= MAX_SHARE for result in results)
    print(f"  grad costs at most {100 * MAX_SHARE:.0f} % of all pair runs: {'yes' if cheap else 'NO'}")
    return {"affinity": results, "affinity_cheap": cheap}

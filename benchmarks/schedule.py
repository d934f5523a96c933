"""How well and how cheaply jobs are scheduled.

    python benchmarks/schedule.py
    python benchmarks/schedule.py --quick

*Makespan*: the scheduler's own decisions in simulation, made-up durations (log-normal), random layered graphs of
1,000 jobs on 8 slots, against the lower bound max(longest chain, work / slots); no schedule can have ratio below 1. A
second figure has the durations turn out otherwise than estimated, by up to a factor of 2 either way. *Overhead*: jobs
that do nothing, one after the other on the local executor, from one end to the next, less what starting the same
process costs without a scheduler. *Two workers*: jobs that keep one core busy, with one worker and with two, in
alternation; the ratio of medians means something where two cores are idle otherwise, so the same processes without a
scheduler are timed beside it. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mvlpt.schedule import Job, Plan, Scheduler, cpu_slots, make_executor, read_events, simulate

ASKED = {"makespan": 1.10, "overhead_ms": 50.0, "two_workers": 1.6}
JOBS, SLOTS = 1000, 8
BUSY = "sum(range({}))"  # keeps one core busy


def layered_plan(seed: int, count: int = JOBS) -> Plan:
    """A random graph in layers; each job needs one to four of the layer before."""
    rng = random.Random(seed)
    width = rng.choice([5, 10, 20, 50, 100])
    jobs: list[Job] = []
    before: list[str] = []
    while len(jobs) < count:
        layer = [f"j{len(jobs) + place}" for place in range(min(count - len(jobs), rng.randint(1, 2 * width)))]
        for name in layer:
            needs = tuple(rng.sample(before, min(len(before), rng.randint(1, 4))))
            jobs.append(Job(name, "command", name, ("true",), needs, seconds=rng.lognormvariate(3, 1)))
        before = layer
    return Plan(jobs)


def makespans(graphs: int) -> tuple[list[float], list[float]]:
    """Ratios to the lower bound: with durations as estimated, and otherwise than estimated."""
    exact, wrong = [], []
    for seed in range(graphs):
        plan, rng = layered_plan(seed), random.Random(-seed - 1)
        exact_run = simulate(plan, cpu_slots(SLOTS))
        actual = {job.id: job.seconds * 2 ** rng.uniform(-1, 1) for job in plan}
        wrong_run = simulate(plan, cpu_slots(SLOTS), actual=actual)
        exact.append(exact_run.makespan / exact_run.lower_bound)
        wrong.append(wrong_run.makespan / wrong_run.lower_bound)
    return exact, wrong


def run_local(plan: Plan, slots: int) -> tuple[float, list[float]]:
    """Runs a plan in a temporary folder; seconds in all, and the moments at which its jobs ended."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        outcome = Scheduler(plan, folder, make_executor("local", slots=slots, device="cpu")).run()
        seconds = time.perf_counter() - started
        if outcome.finished != len(plan):
            raise SystemExit(f"{len(plan) - outcome.finished} of {len(plan)} jobs did not finish")
        return seconds, [entry["t"] for _, entry in read_events(Path(folder)) if entry["event"] == "ended"]


def overhead(jobs: int) -> tuple[float, float]:
    """Milliseconds from the end of a job that does nothing to the end of the next, and to start ``true`` by itself."""
    plan = Plan([Job(f"j{place}", "command", f"j{place}", ("true",)) for place in range(jobs)])
    _, ends = run_local(plan, 1)
    alone = []
    for _ in range(jobs):
        started = time.perf_counter()
        subprocess.run(["true"], stdin=subprocess.DEVNULL, check=True)
        alone.append(time.perf_counter() - started)
    return 1000 * (ends[-1] - ends[0]) / (jobs - 1), 1000 * statistics.median(alone)


def run_bare(command: tuple[str, ...], jobs: int, at_once: int) -> float:
    """Seconds of the same processes without a scheduler."""
    started = time.perf_counter()
    for _ in range(jobs // at_once):
        for process in [subprocess.Popen(command) for _ in range(at_once)]:
            process.wait()
    return time.perf_counter() - started


def two_workers(jobs: int, rounds: int, steps: int) -> dict[str, float]:
    """Median seconds with one worker and with two, and of one and two processes at once without a scheduler."""
    command = (sys.executable, "-c", BUSY.format(steps))
    plan = Plan([Job(f"j{place}", "command", f"j{place}", command) for place in range(jobs)])
    seconds: dict[str, list[float]] = {"one": [], "two": [], "bare one": [], "bare two": []}
    for _ in range(rounds):
        for workers, name in ((1, "one"), (2, "two")):
            seconds[name].append(run_local(plan, workers)[0])
            seconds[f"bare {name}"].append(run_bare(command, jobs, workers))
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=200, help="that do nothing")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few graphs and jobs, one round")
    args = parser.parse_args()
    steps = 80_000_000  # about two seconds
    if args.quick:
        args.graphs, args.jobs, args.rounds, steps = 10, 40, 1, 40_000_000
    exact, wrong = makespans(args.graphs)
    print(f"{args.graphs} graphs of {JOBS} jobs on {SLOTS} slots: makespan / lower bound")
    for name, ratios in (("durations as estimated", exact), ("off by up to 2 x", wrong)):
        print(f"  {name:<24} mean {statistics.mean(ratios):.3f}  worst {max(ratios):.3f}")
    each, alone = overhead(args.jobs)
    print(f"{args.jobs} jobs that do nothing: {each:.1f} ms each, {alone:.1f} ms of it to start the process")
    busy = two_workers(6, args.rounds, steps)
    ratio, ceiling = busy["one"] / busy["two"], busy["bare one"] / busy["bare two"]
    print(f"6 busy jobs: {busy['one']:.1f} s with one worker, {busy['two']:.1f} s with two: {ratio:.2f} x")
    print(f"  the same without a scheduler: {ceiling:.2f} x, what this machine has to give now")
    result = {
        "makespan": round(max(exact), 3),
        "makespan_mean": round(statistics.mean(exact), 3),
        "makespan_misjudged": round(max(wrong), 3),
        "overhead_ms": round(each - alone, 1),
        "two_workers": round(ratio, 2),
        "two_bare_processes": round(ceiling, 2),
        "asked": ASKED,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

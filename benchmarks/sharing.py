"""Does choosing what tasks share help? All arms and the chooser on validation designers, over shots and seeds.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/sharing.py --work output/sharing        # hours
    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/sharing.py --work output/quick --quick  # minutes
    python benchmarks/sharing.py --plan          # what is missing, and what it costs
    python benchmarks/sharing.py --table-only    # what the table says; no run
    python benchmarks/sharing.py --known         # what the chooser takes from it
    python benchmarks/sharing_pages.py           # after seeds were added: writes what follows from them

Scores go to ``benchmarks/results/sharing.csv`` as seeds complete: the same command goes on where the table ends.
Several may run side by side on other ``--trainers`` or ``--shots``, each with a ``--table`` of its own. A GPU is used
where there is one: the scores of a seed are those of a CPU, but for an image now and then. The parts of a seed are
*arms* (alone, all together, three partitions, each shared one adapted), *shares* (adapted prompts that keep a share of
their start: no training), *pairs* (all pairs of 12 tasks), *estimates* (similarities and affinities of those tasks from
the seed's images), *short* (the pairs again with few epochs, as an estimate) and *chosen* (what the chooser picks with
the seed). From the table follow

- the ceiling: split-half reliability between seeds, of the arms' gains over alone and of the gains of pairs, and that
  of pairs over test images, too (``benchmarks/sharing_images.py``);
- each estimator's rank correlation with pair gains within targets, its share of the ceiling, its sign accuracy;
- the regret of the chooser against the best fixed arm in hindsight, and its gain over alone.

Intervals are 95 % of a paired bootstrap over tasks and seeds. Ends with one JSON line of ratios.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.sharing_images import TABLE as IMAGES
from benchmarks.sharing_images import read_marks
from benchmarks.sharing_known import markdown, variances
from benchmarks.sharing_pairs import print_pairs
from benchmarks.sharing_statistics import bootstrap, clearly_worse, rounded, split_half_reliability
from benchmarks.sharing_table import (
    CHOSEN,
    PARTS,
    SHOTS,
    TRAINERS,
    fixed_arms,
    measured_units,
    read_table,
    score_array,
    settings,
    write_table,
)

RESULTS = Path(__file__).with_name("results")
ESTIMATED = ("arms", "pairs")  # the parts whose cost the experiments estimate beforehand
Rows = Sequence[Mapping[str, Any]]
Unit = tuple[str, int, int, str]


def print_arms(rows: Rows) -> dict[str, Any]:
    """Means of the arms, their ceiling, and the chooser's regret."""
    names = fixed_arms(rows)
    scores, tasks, seeds = score_array(rows, names)
    if not seeds:
        return {}
    looks = {task: task.split("-")[1] for task in tasks}
    columns = {
        look: [i for i, task in enumerate(tasks) if looks[task] == look] for look in dict.fromkeys(looks.values())
    }
    print(f"  {len(tasks)} tasks, seeds {', '.join(map(str, seeds))}" + "".join(f"{look:>12}" for look in columns))
    for name, arm in zip(names, scores, strict=True):
        over_seeds = arm.mean(axis=0)
        spread = f" ± {over_seeds.std(ddof=1):.1f}" if len(seeds) > 1 else ""
        by_look = "".join(f"{arm[index].mean():>12.1f}" for index in columns.values())
        print(f"    {name:18}{arm.mean():5.1f}{spread:7}{by_look}")
    best = int(np.argmax(scores.mean(axis=(1, 2))))
    ceiling = split_half_reliability(scores[1:] - scores[0])
    print(f"  best fixed arm: {names[best]}; ceiling, reliability of the arms' gains over alone: {ceiling:.2f}")
    found: dict[str, Any] = {"best": names[best], "ceiling": rounded(ceiling), "seeds": len(seeds)}
    return {**found, **_print_chosen(rows, names)}


def _print_chosen(rows: Rows, names: Sequence[str]) -> dict[str, Any]:
    scores, _, seeds = score_array(rows, [CHOSEN, *names])
    if not seeds:
        return {}
    chosen, arms = scores[0], scores[1:]
    found = bootstrap(chosen, arms)
    print(f"  chosen: {chosen.mean():.1f} ({len(seeds)} seeds)")
    for name, (value, low, high) in found.items():
        words = {"regret": "regret against the best fixed arm", "gain": "gain over alone"}[name]
        print(f"    {words} {value:+.2f} [{low:+.2f}, {high:+.2f}]")
    worse = clearly_worse(chosen, arms[0])
    print(f"    more than one standard error below alone on {worse:.0%} of tasks")
    return {"regret": rounded(found["regret"][0]), "gain": rounded(found["gain"][0]), "worse": rounded(worse)}


def missing_units(args: argparse.Namespace, rows: Rows) -> Iterator[Unit]:
    """What the table lacks, seed after seed, so that every setting gains a seed before any gains two."""
    have = measured_units(rows)
    for seed, shots, trainer, part in itertools.product(args.seeds, args.shots, args.trainers, args.parts):
        if (trainer, shots, seed, part) not in have:
            yield trainer, shots, seed, part


def print_plan(args: argparse.Namespace, units: Sequence[Unit]) -> None:
    """What is missing of each setting, and what it takes on one core as the experiments estimate it."""
    from benchmarks.sharing_suite import Suite

    settings_of: dict[tuple[str, int], list[Unit]] = defaultdict(list)
    for unit in units:
        settings_of[unit[:2]].append(unit)
    total = 0.0
    for (trainer, shots), mine in sorted(settings_of.items(), key=lambda item: args.trainers.index(item[0][0])):
        seeds: dict[str, list[int]] = defaultdict(list)
        for _, _, seed, part in mine:
            seeds[part].append(seed)
        costs = {part: Suite(args, trainer, shots, seeds[part][0]).seconds(part) for part in seeds if part in ESTIMATED}
        hours = sum(cost * len(seeds[part]) for part, cost in costs.items()) / 3600
        total += hours
        words = ", ".join(f"{part} {_ranges(seeds[part])}" for part in PARTS if part in seeds)
        print(f"{trainer}, {shots} image{'s' * (shots > 1)}, seeds: {words}; {hours:.2f} h", flush=True)
    print(f"{len(units)} units missing; arms and pairs are estimated at {total:.2f} hours of one core", flush=True)


def _ranges(numbers: Sequence[int]) -> str:
    """[1, 2, 3, 8] as ``1-3,8``: the opposite of :func:`_numbers`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def measure(args: argparse.Namespace, table: Path) -> None:
    """Measures what is missing; the table grows by a part of a seed at a time."""
    from benchmarks.sharing_suite import Suite

    units = list(missing_units(args, read_table(table)))
    print_plan(args, units)
    for done, (trainer, shots, seed, part) in enumerate(units, start=1):
        started = time.monotonic()
        found = Suite(args, trainer, shots, seed).rows(part)
        write_table([*read_table(table), *found], table)
        spent = time.monotonic() - started
        print(f"{done}/{len(units)} {trainer} {shots} shots seed {seed} {part}: {spent:.0f} s", flush=True)


def report(rows: Rows, trainers: Sequence[str], shots: Sequence[int], images: Path | None = None) -> dict[str, Any]:
    """Prints what the table says, and the table of test images if there is one; returns it."""
    found = {}
    for trainer, count, mine in settings(rows, trainers, shots):
        print(f"{trainer}, {count} image{'s' * (count > 1)} a class, validation designers")
        marks = read_marks(images, trainer, count) if images else {}
        found[f"{trainer}-{count}"] = {**print_arms(mine), **print_pairs(mine, marks)}
    worse = [one["worse"] for one in found.values() if one.get("worse") is not None]
    if worse:
        found["worse"] = rounded(np.mean(worse))
        print(f"chosen more than one standard error below alone on {found['worse']:.1%} of tasks in all settings")
    return found


def _numbers(words: str) -> list[int]:
    """``1-3,8`` as [1, 2, 3, 8]."""
    ends = [part.partition("-") for part in words.split(",")]
    return [n for low, _, high in ends for n in range(int(low), int(high or low) + 1)]


def _some_of(known: Sequence[str], words: str) -> list[str]:
    """Names with commas between them, all of which are known."""
    names = words.split(",")
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(known)}")
    return names


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/sharing", help="folder of the runs")
    parser.add_argument("--quick", action="store_true", help="6 tasks, 2 seeds, 2 shots, CoOp, 3 epochs: does it run?")
    parser.add_argument("--trainers", type=partial(_some_of, TRAINERS), default=list(TRAINERS), help="VPT, CoOp, UPT")
    parser.add_argument("--shots", type=_numbers, default=list(SHOTS))
    parser.add_argument("--seeds", type=_numbers, default=list(range(1, 9)), help="such as 1-8")
    parser.add_argument("--parts", type=partial(_some_of, PARTS), default=list(PARTS), help="see above")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--budget", type=float, default=0.0, help="of the chooser (default: its own)")
    parser.add_argument("--table", default="", help="default: benchmarks/results/sharing.csv; with --quick in --work")
    parser.add_argument("--plan", action="store_true", help="print what is missing and what it costs; run nothing")
    parser.add_argument("--table-only", action="store_true", help="print what the table says; run nothing")
    parser.add_argument("--known", action="store_true", help="print what the chooser knows from the table; run nothing")
    args = parser.parse_args()
    if args.quick:
        args.trainers, args.shots, args.seeds, args.epochs = ["CoOp"], [2], [1, 2], 3
    table = Path(args.table or (Path(args.work) if args.quick else RESULTS) / "sharing.csv")
    if args.plan:
        print_plan(args, list(missing_units(args, read_table(table))))
        return
    if args.known:
        rows = read_table(table)
        print(markdown(rows))
        print("\nvariance of the difference of two gains, as a share of the sum of theirs:")
        print(", ".join(f"{setting} {share:.2f}" for setting, share in variances(rows).items()))
        return
    if not args.table_only:
        measure(args, table)
    images = table.with_name(IMAGES.name)
    print(json.dumps({"quick": args.quick, **report(read_table(table), args.trainers, args.shots, images)}))


if __name__ == "__main__":
    main()

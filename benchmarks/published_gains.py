"""Does the surrogate predict gains of groups that somebody else has measured? MTG-Net's published gains.

    git clone https://github.com/ShawnKS/MTG-Net
    python benchmarks/published_gains.py --folder MTG-Net/gain_collection/collected_gain/mimic27

27 tasks of MIMIC-III and thousands of groups of them, with each task's gain over itself alone (Song et al., NeurIPS
2022). The repository states no licence, so nothing of it is kept here. Estimators see the gains of all pairs, and the
surrogate also those of some groups drawn at random; they predict the gains in other groups of three tasks and more.
Printed are Spearman's correlation, over all entries and within targets (a target's mean over the groups that are
predicted is subtracted from both); the balanced accuracy of the sign of the gain, 50 % by chance; and the share of
entries that sharing hurts. The gains have one seed, so there is no ceiling to compare with. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from mvlpt.graph.choice import Candidate, predict_gains
from mvlpt.graph.similarity import spearman


def read_gains(folder: Path, name: str = "mimic_y_valid") -> tuple[np.ndarray, np.ndarray]:
    """Which tasks each group holds (G, T), and each task's gain in it (G, T), points; NaN outside the group."""
    members = np.loadtxt(folder / "mimic_x.csv", dtype=bool)
    values = np.loadtxt(folder / f"{name}.csv")
    count = min(len(members), len(values))
    members, values = members[:count], values[:count]
    return members, np.where(members, 100 * values, np.nan)


def pair_averages(members: np.ndarray, gains: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean gain of each task over the pairs with its partners (G, T), as Standley et al. (2020) predict."""
    matrix = pair_matrix(members, gains)
    found = np.full(groups.shape, np.nan)
    for row, group in enumerate(groups):
        for task in np.flatnonzero(group):
            others = [other for other in np.flatnonzero(group) if other != task]
            found[row, task] = np.nanmean(matrix[others, task])
    return found


def pair_matrix(members: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """(T, T) the gain of the column's task in a pair with the row's; NaN where it was not measured."""
    matrix = np.full((members.shape[1],) * 2, np.nan)
    for group, row in zip(members, gains, strict=True):
        if group.sum() == 2:
            a, b = np.flatnonzero(group)
            matrix[a, b], matrix[b, a] = row[b], row[a]
    return matrix


def surrogate(members: np.ndarray, gains: np.ndarray, groups: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    """Predicted gains (G, T) of other groups, from measured ones; each group is a candidate beside tasks alone."""
    tasks = [f"t{task:02}" for task in range(members.shape[1])]
    rows = np.concatenate([members, groups])
    candidates = [
        Candidate(f"c{number}", ([tasks[i] for i in np.flatnonzero(row)], *([tasks[i]] for i in np.flatnonzero(~row))))
        for number, row in enumerate(rows)
    ]
    known = np.concatenate([gains, np.full(groups.shape, np.nan)])
    found = predict_gains(candidates, tasks, known, np.full(known.shape, 0.5), prior)
    return np.where(groups, found.scores[len(members) :], np.nan)


def overall_rho(found: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's correlation over all entries."""
    known = ~np.isnan(truth) & ~np.isnan(found)
    return spearman(found[known], truth[known])


def within_rho(found: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's correlation once each target's mean is subtracted from both."""
    known = ~np.isnan(truth) & ~np.isnan(found)
    centred = [
        np.where(known, one, np.nan) - np.nanmean(np.where(known, one, np.nan), axis=0) for one in (found, truth)
    ]
    return spearman(centred[0][known], centred[1][known])


def balanced_sign(found: np.ndarray, truth: np.ndarray) -> float:
    """The mean of the shares of gains and of losses whose sign is predicted."""
    known = ~np.isnan(truth) & ~np.isnan(found)
    right = (found > 0) == (truth > 0)
    return float(np.mean([right[known & side].mean() for side in (truth > 0, truth <= 0)]))


def compare(folder: Path, measured: Sequence[int], tested: int, draws: int) -> dict[str, dict[str, float]]:
    """The estimators' scores, means over draws of the groups."""
    members, gains = read_gains(folder)
    pairs, large = members.sum(axis=1) == 2, np.flatnonzero(members.sum(axis=1) > 2)
    extra = np.loadtxt(folder / "mimic_TAGHOA.csv")
    found: dict[str, list[tuple[float, ...]]] = {}
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(large)
        test, rest = order[:tested], order[tested:]
        truth = gains[test]
        averages = pair_averages(members[pairs], gains[pairs], members[test])
        prior = np.nan_to_num(pair_matrix(members[pairs], gains[pairs]))
        estimates = {"pair averages": averages}
        if test.max() < len(extra):
            estimates["TAG, their values"] = np.where(members[test], extra[test], np.nan)
        for count in measured:
            rows = np.concatenate([np.flatnonzero(pairs), rest[:count]])
            estimates[f"surrogate, pairs + {count} groups"] = surrogate(
                members[rows], gains[rows], members[test], prior
            )
        for count in measured:
            rows = rest[:count]
            if count:
                estimates[f"surrogate, {count} groups only"] = surrogate(
                    members[rows], gains[rows], members[test], None
                )
        for name, one in estimates.items():
            found.setdefault(name, []).append(
                (overall_rho(one, truth), within_rho(one, truth), balanced_sign(one, truth))
            )
    hurt = float((gains[large][members[large]] < 0).mean())
    print(f"{len(large)} groups of three tasks and more, {hurt:.0%} of the entries hurt by sharing", end="; ")
    print(f"{tested} predicted, {draws} draws")
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    for name, (rho, within, sign) in means.items():
        print(f"  {name:32} rho {rho:+.2f}, within targets {within:+.2f}; sign right {sign:.0%}")
    keys = ("rho", "within", "sign")
    return {name: dict(zip(keys, np.round(row, 3).tolist(), strict=True)) for name, row in means.items()}


def main() -> None:
    """Parses the command line, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="MTG-Net's gain_collection/collected_gain/mimic27")
    parser.add_argument("--measured", default="0,10,50", help="groups whose gains the surrogate sees, besides pairs")
    parser.add_argument("--tested", type=int, default=100, help="groups that are predicted")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20 groups, 1 draw; nothing without --folder")
    args = parser.parse_args()
    if args.quick:
        args.measured, args.tested, args.draws = "10", 20, 1
    if args.folder is None:
        print(json.dumps({"quick": args.quick, "skipped": "no --folder; see the first lines of this file"}))
        return
    scores = compare(args.folder, [int(count) for count in args.measured.split(",")], args.tested, args.draws)
    print(json.dumps({"quick": args.quick, "estimators": scores}))


if __name__ == "__main__":
    main()

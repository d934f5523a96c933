"""What the gains of pairs of tasks say of estimators: their ceiling, and how near each comes.

Shapes: T tasks, S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.sharing_images import Marks, image_reliability
from benchmarks.sharing_statistics import (
    bootstrap_within,
    combined,
    reliability_of_fewer,
    rounded,
    runs_for_share,
    share_of_ceiling,
    sign_accuracy,
    split_half_reliability,
    stable_and_noise,
    within_rho,
    within_target,
)
from benchmarks.sharing_surrogate import one_seed_rho, surrogate_rho
from benchmarks.sharing_table import estimate_arrays, gain_array

COMBINED = ("grad", "visual.centred")
WANTED = 0.8  # of the ceiling
RUN_SHARES = (0.135, 0.3, 0.5)  # of the pair runs of each seed, for the surrogate; the first and `grad` cost 15 %


def print_pairs(rows: Sequence[Mapping[str, Any]], marks: Mapping[str, Marks]) -> dict[str, Any]:
    """The ceiling of pair gains within targets, and each estimator's share of it.

    Args:
        rows: of the table, of one trainer and number of shots.
        marks: the images that the pair runs got right, by target; then estimators are compared with the gains on these
            images, and the ceiling is that over seeds and images. Empty: gains are the table's, the ceiling over seeds.
    """
    gains, tasks, seeds = gain_array(rows)
    if not seeds:
        return {}
    known = ~np.eye(len(tasks), dtype=bool)
    total = gains[known].mean(axis=1).var()
    between = np.nanmean(gains, axis=(0, 2)).var() / total if total > 0 else float("nan")
    ceiling = split_half_reliability(within_target(gains))
    helped = np.nanmean(gains[known].mean(axis=1) > 0)
    print(f"  {known.sum()} pair gains of {len(tasks)} tasks, seeds {', '.join(map(str, seeds))}: mean", end=" ")
    print(f"{np.nanmean(gains):+.2f}, {helped:.0%} above 0, {between:.0%} of the variance between targets")
    print(f"  ceiling within targets: split-half reliability {ceiling:.2f}")
    found: dict[str, Any] = {"pair_ceiling": rounded(ceiling), "pair_seeds": len(seeds)}
    reliability = image_reliability(marks) if set(marks) == set(tasks) else None
    if reliability is not None:
        gains, (ceiling, low, high) = marked_gains(marks, tasks), reliability
        images = sum(one.images for one in marks.values()) / len(marks)
        print(
            f"  on {images:.0f} images a task: reliability over seeds and images {ceiling:.2f} [{low:.2f}, {high:.2f}]"
        )
        found["image_ceiling"] = rounded(ceiling)
    stable, noise = stable_and_noise(gains)
    runs = runs_for_share(stable, noise, WANTED)
    share = runs / gains.shape[2]
    print(
        f"  deviation of what comes back with seeds {max(stable, 0) ** 0.5:.1f} points, of a run {noise**0.5:.1f}:",
        end=" ",
    )
    print(f"{WANTED:.0%} of the ceiling takes {runs:.1f} runs of each pair, {share:.0%} of what was run")
    found["runs_needed"] = rounded(share)
    estimates = estimate_arrays(rows, tasks)
    if set(COMBINED) <= set(estimates):
        estimates[" + ".join(COMBINED)] = combined([estimates[name] for name in COMBINED])
    return {
        **found,
        "estimators": {name: _print_estimator(name, one, gains, ceiling) for name, one in estimates.items()},
        "from_runs": _print_runs(gains, ceiling, estimates),
    }


def marked_gains(marks: Mapping[str, Marks], tasks: Sequence[str]) -> np.ndarray:
    """Gains (source, target, S) on the marked images, without the mean over the sources of each target."""
    seeds = min(one.correct.shape[1] for one in marks.values())
    gains = np.full((len(tasks), len(tasks), seeds), np.nan)
    for column, target in enumerate(tasks):
        sources = [row for row in range(len(tasks)) if row != column]
        gains[sources, column] = marks[target].gains()[:, :seeds]
    return gains


def _print_estimator(name: str, matrix: np.ndarray, gains: np.ndarray, ceiling: float) -> dict[str, Any]:
    rho, signs = within_rho(matrix, gains), sign_accuracy(matrix, gains)
    low, high = bootstrap_within(matrix, gains)
    share = share_of_ceiling(rho, ceiling)
    words = f"{share:.0%} of the ceiling" if np.isfinite(share) else "no ceiling to compare with"
    print(f"    {name:22} rho {rho:+.2f} [{low:+.2f}, {high:+.2f}], {words}; sign right {signs:.0%}")
    return {"rho": rounded(rho), "share": rounded(share), "sign": rounded(signs)}


def _print_runs(gains: np.ndarray, ceiling: float, estimates: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What some of the runs say of the others, with the help of the estimates; the ceiling is that of the others."""
    if not ceiling > 0:
        return {}
    known = estimates.get("visual.centred"), estimates.get(" + ".join(COMBINED))
    seeds = gains.shape[2]
    measured = {"all pairs, one seed": (one_seed_rho(gains), seeds - 1)}
    for share in RUN_SHARES:
        measured[f"surrogate, {share:.3g} of the runs"] = surrogate_rho(gains, share, *known), (1 - share) * seeds
    found = {}
    for name, (rho, others) in measured.items():
        share = share_of_ceiling(rho, reliability_of_fewer(ceiling, gains, others))
        print(f"    {name}: rho {rho:+.2f} with the other runs, {share:.0%} of their ceiling")
        found[name] = {"rho": rounded(rho), "share": rounded(share)}
    return found

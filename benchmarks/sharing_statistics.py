"""What measured scores of arms can tell: reliability between seeds, and the regret of a choice.

Shapes: A arms, T tasks, S seeds. Scores are in percent; NaN stands for "not measured".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mvlpt.graph.similarity import spearman


def rounded(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return round(float(value), 3) if np.isfinite(value) else None


def split_half_reliability(gains: np.ndarray, splits: int = 200, seed: int = 0) -> float:
    """How well the gains of one half of the seeds rank those of the other, corrected to all seeds.

    The mean Spearman correlation over random halves, stepped up by the Spearman-Brown formula 2 r / (1 + r). No
    estimate can be expected to correlate with the mean gains better than the square root of this.

    Args:
        gains: (..., S).
        splits: random halves.
        seed: of the halves.

    Returns:
        The reliability of the mean over all seeds; NaN with fewer than two seeds or three gains.
    """
    flat = gains.reshape(-1, gains.shape[-1])
    flat = flat[~np.isnan(flat).any(axis=1)]
    seeds = flat.shape[1]
    if seeds < 2 or len(flat) < 3:
        return float("nan")
    found = []
    for halves in _halves(flat, splits, seed):
        if min(np.ptp(half) for half in halves) > 0:
            found.append(spearman(*halves))
    if not found:
        return float("nan")
    r = float(np.mean(found))
    return 2 * r / (1 + r) if r > -1 else float("nan")


def _halves(flat: np.ndarray, splits: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The means (N,) of gains (N, S) over one random half of the seeds and over the other."""
    rng, seeds = np.random.default_rng(seed), flat.shape[1]
    for _ in range(splits):
        order = rng.permutation(seeds)
        yield flat[:, order[: seeds // 2]].mean(axis=1), flat[:, order[seeds // 2 :]].mean(axis=1)


def within_target(gains: np.ndarray) -> np.ndarray:
    """Gains (source, target, S) without what is common to all sources of a target."""
    return gains - np.nanmean(gains, axis=0, keepdims=True)


def within_rho(estimate: np.ndarray, gains: np.ndarray) -> float:
    """Spearman's correlation of an estimate with mean gains, both without what is common to all sources of a target.

    Args:
        estimate: (source, target).
        gains: (source, target, S).
    """
    known = ~np.isnan(gains).any(axis=2) & ~np.isnan(estimate)
    mean = np.where(known, gains.mean(axis=2), np.nan)
    return _rho(_centred(np.where(known, estimate, np.nan))[known], _centred(mean)[known])


def combined(estimates: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of estimates (source, target), each without the mean of its target and divided by its deviation."""
    inside = [_centred(np.where(np.isfinite(one), one, np.nan)) for one in estimates]
    return np.sum([one / np.nanstd(one) for one in inside], axis=0)


def share_of_ceiling(rho: float, ceiling: float) -> float:
    """rho over the square root of the reliability, the largest correlation that noise leaves; NaN without a ceiling."""
    return rho / float(np.sqrt(ceiling)) if ceiling > 0 else float("nan")


def stable_and_noise(gains: np.ndarray, splits: int = 200, seed: int = 0) -> tuple[float, float]:
    """The variance of gains within targets that comes back with every seed, and that of the noise of a single run.

    The first is the mean covariance of the gains of one half of the seeds with those of the other.

    Args:
        gains: (source, target, S); with one seed both are NaN.
        splits: random halves of the seeds.
        seed: of the halves.
    """
    inside = within_target(gains)
    inside = inside[~np.isnan(inside).any(axis=2)]
    if inside.shape[1] < 2:
        return float("nan"), float("nan")
    products = [(first * second).mean() for first, second in _halves(inside, splits, seed)]
    return float(np.mean(products)), float(inside.var(axis=1, ddof=1).mean())


def runs_for_share(stable: float, noise: float, share: float) -> float:
    """How many runs of every pair, one a seed, would know its gain within the target to a share of the ceiling.

    The mean of m runs correlates with the stable gain at sqrt(s / (s + n / m)).

    Args:
        stable, noise: the variances s and n of :func:`stable_and_noise`.
        share: the correlation that is wanted.

    Returns:
        m; infinite where no gain comes back.
    """
    return share**2 / (1 - share**2) * noise / stable if stable > 0 else float("inf")


def reliability_of_fewer(reliability: float, gains: np.ndarray, runs: float) -> float:
    """What is left of the reliability of mean gains within targets where the mean is over fewer runs of each pair.

    The stable variance stays as it is; that of the means grows by the noise of a run, n / m - n / S.

    Args:
        reliability: of the means over all S seeds.
        gains: (source, target, S).
        runs: m, how many of the S the mean is over.
    """
    inside = within_target(gains)
    inside = inside[~np.isnan(inside).any(axis=2)]
    whole, noise = inside.mean(axis=1).var(), inside.var(axis=1, ddof=1).mean()
    return float(reliability * whole / (whole + noise * (1 / runs - 1 / inside.shape[1])))


def sign_accuracy(estimate: np.ndarray, gains: np.ndarray) -> float:
    """How often an estimate tells better from worse partners of a target, balanced: 0.5 is chance.

    The mean of two shares: of the partners above their target's mean gain, and of those below it, for which the
    estimate is on the same side of its own mean over the target's partners.

    Args:
        estimate: (source, target).
        gains: (source, target, S).
    """
    known = ~np.isnan(gains).any(axis=2) & ~np.isnan(estimate)
    first = _centred(np.where(known, estimate, np.nan))[known] > 0
    truth = _centred(np.where(known, gains.mean(axis=2), np.nan))[known]
    sides = [(first == side)[side_of] for side, side_of in ((True, truth > 0), (False, truth < 0))]
    return float(np.mean([side.mean() for side in sides])) if all(map(len, sides)) else float("nan")


def bootstrap_within(estimate: np.ndarray, gains: np.ndarray, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of :func:`within_rho`, from a bootstrap over targets and seeds.

    Args:
        estimate: (source, target).
        gains: (source, target, S).
        draws: resamples.
        seed: of the resamples.
    """
    rng = np.random.default_rng(seed)
    targets, seeds = gains.shape[1:]
    drawn = []
    for _ in range(draws):
        some, over = rng.integers(0, targets, targets), rng.integers(0, seeds, seeds)
        drawn.append(within_rho(estimate[:, some], gains[:, some][:, :, over]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return float(low), float(high)


def _centred(matrix: np.ndarray) -> np.ndarray:
    """(source, target) without the mean over the sources of each target."""
    counts = (~np.isnan(matrix)).sum(axis=0)
    means = np.divide(np.nansum(matrix, axis=0), counts, out=np.zeros(len(counts)), where=counts > 0)
    return matrix - means


def _rho(first: np.ndarray, second: np.ndarray) -> float:
    return spearman(first, second) if len(first) > 2 and min(np.ptp(first), np.ptp(second)) > 0 else float("nan")


def regret(chosen: np.ndarray, arms: np.ndarray) -> float:
    """Points by which the best fixed arm in hindsight is above the choice, in the mean over tasks and seeds.

    Args:
        chosen: (T, S).
        arms: (A, T, S).
    """
    return float(arms.mean(axis=(1, 2)).max() - chosen.mean())


def bootstrap(chosen: np.ndarray, arms: np.ndarray, draws: int = 2000, seed: int = 0) -> dict[str, tuple[float, ...]]:
    """Estimates and 95 % intervals of a paired bootstrap over tasks and seeds.

    Args:
        chosen: (T, S).
        arms: (A, T, S), the first of them each task alone.
        draws: resamples.
        seed: of the resamples.

    Returns:
        For ``regret`` (against the best fixed arm) and ``gain`` (over alone) the value, the lower and the upper end.
    """
    rng = np.random.default_rng(seed)
    tasks, seeds = chosen.shape
    weights = np.empty((draws, tasks)), np.empty((draws, seeds))  # how often each resample has a task, a seed
    for task_weights, seed_weights in zip(*weights, strict=True):
        task_weights[:] = np.bincount(rng.integers(0, tasks, tasks), minlength=tasks)
        seed_weights[:] = np.bincount(rng.integers(0, seeds, seeds), minlength=seeds)
    scores = np.concatenate([chosen[None], arms])
    over_tasks = np.tensordot(weights[0], scores, axes=(1, 1))  # (draws, 1 + A, S)
    means = np.einsum("das,ds->da", over_tasks, weights[1]) / chosen.size
    drawn = np.stack([means[:, 1:].max(axis=1) - means[:, 0], means[:, 0] - means[:, 1]], axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    value = regret(chosen, arms), float((chosen - arms[0]).mean())
    return {name: (value[i], float(low[i]), float(high[i])) for i, name in enumerate(("regret", "gain"))}


def clearly_worse(chosen: np.ndarray, alone: np.ndarray) -> float:
    """The share of tasks on which the choice is more than a standard error below alone; NaN with one seed.

    Args:
        chosen, alone: (T, S).
    """
    gap = chosen - alone
    if gap.shape[1] < 2:
        return float("nan")
    error = gap.std(axis=1, ddof=1) / np.sqrt(gap.shape[1])
    return float((gap.mean(axis=1) < -np.maximum(error, 1e-9)).mean())

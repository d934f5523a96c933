"""The statistics and the table of the sharing benchmark, against independent formulas and planted truth."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks import sharing, sharing_pages
from benchmarks.sharing_known import difference_variance, measured_gains
from benchmarks.sharing_statistics import (
    bootstrap,
    bootstrap_within,
    clearly_worse,
    combined,
    regret,
    reliability_of_fewer,
    runs_for_share,
    share_of_ceiling,
    sign_accuracy,
    split_half_reliability,
    stable_and_noise,
    within_rho,
    within_target,
)
from benchmarks.sharing_surrogate import one_seed_rho, predicted_gains, surrogate_rho
from benchmarks.sharing_table import (
    estimate_arrays,
    fixed_arms,
    gain_array,
    measured_units,
    read_table,
    score_array,
    write_table,
)
from mvlpt.graph.choice import LITTLE_KNOWN, WELL_KNOWN, Candidate, known_gains

RNG = np.random.default_rng(0)


def noisy_gains(tasks=10, seeds=8, noise=1.0, seed=0):
    """True gains (source, target), and measured ones with noise over seeds, NaN on the diagonal."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(tasks, tasks)) + 3 * rng.normal(size=tasks)  # most of it between targets
    np.fill_diagonal(truth, np.nan)
    return truth, truth[:, :, None] + noise * rng.normal(size=(tasks, tasks, seeds))


def test_reliability_is_the_mean_over_all_halves_stepped_up():
    gains = RNG.normal(size=(30, 1)) + RNG.normal(size=(30, 4))
    halves = [half for half in itertools.combinations(range(4), 2) if 0 in half]
    found = []
    for half in halves:
        rest = [seed for seed in range(4) if seed not in half]
        found.append(stats.spearmanr(gains[:, half].mean(axis=1), gains[:, rest].mean(axis=1)).statistic)
    r = np.mean(found)
    assert split_half_reliability(gains, splits=3000) == pytest.approx(2 * r / (1 + r), abs=0.01)


def test_an_arm_counts_if_every_seed_with_its_part_has_it():
    """A share that came later does not cost the seeds before it; nor do shares that are still to come their arms."""
    arms = {"single": (1, 2, 3), "all": (1, 2, 3), "keep25-all": (1, 2), "keep75-all": (2,), "chosen": (1,)}
    rows = [{"arm": arm, "seed": seed} for arm, seeds in arms.items() for seed in seeds]
    assert fixed_arms(rows) == ["single", "all", "keep25-all"]


@pytest.mark.parametrize(("common", "expected"), [(0.0, 1.0), (1.0, 0.5), (3.0, 0.1)])
def test_errors_that_gains_have_in_common_are_not_errors_of_their_difference(common, expected):
    well = np.arange(4000) % 3 == 0
    rng = np.random.default_rng(1)
    alone, arms = rng.normal(size=4000) * common, rng.normal(size=(3, 4000))
    means = np.where(well, 4.0, -2.0) * np.array([[1.0], [0.0], [2.0]])  # what a kind gains is no error
    assert difference_variance(arms - alone + means, well) == pytest.approx(expected, abs=0.03)


def test_reliability_of_noise_and_of_truth():
    assert split_half_reliability(np.repeat(RNG.normal(size=(20, 1)), 4, axis=1)) == pytest.approx(1)
    assert abs(split_half_reliability(RNG.normal(size=(400, 8)))) < 0.25
    assert math.isnan(split_half_reliability(RNG.normal(size=(20, 1))))


def test_reliability_is_that_of_the_classical_model():
    """Truth of variance 1 and noise of variance s a seed: the mean over n seeds has the reliability 1 / (1 + s / n)."""
    gains = RNG.normal(size=(4000, 1)) + 2 * RNG.normal(size=(4000, 8))
    assert split_half_reliability(gains, splits=20) == pytest.approx(1 / (1 + 4 / 8), abs=0.04)


def test_within_target_removes_what_all_sources_share():
    truth, gains = noisy_gains()
    inside = within_target(gains)
    assert np.nanmean(inside, axis=0) == pytest.approx(0)
    shifted = within_target(gains + RNG.normal(size=(1, 10, 1)))
    assert np.nanmax(np.abs(shifted - inside)) < 1e-9
    assert within_rho(truth, gains) > 0.8


def test_the_surrogate_finds_all_gains_in_all_runs_and_some_in_some():
    truth, gains = noisy_gains(tasks=7, seeds=6, noise=2.0)
    assert np.allclose(predicted_gains(gains, 1e-9), gains.mean(axis=2), atol=1e-2, equal_nan=True)
    few, many = surrogate_rho(gains, 0.3, draws=4), surrogate_rho(gains, 0.8, draws=4)
    assert few > 0.2
    assert many > few
    silent = surrogate_rho(RNG.normal(size=gains.shape), 0.5, draws=8)
    assert abs(silent) < 0.25  # noise predicts nothing of runs that it has not seen
    alone = [within_rho(gains[:, :, s], np.delete(gains, s, axis=2)) for s in range(6)]
    assert one_seed_rho(gains) == pytest.approx(np.mean(alone))
    untouched = gains.copy()
    untouched[0, 1] = untouched[1, 0] = np.nan
    assert np.isfinite(predicted_gains(untouched, 4.0)[0, 1])
    assert within_rho(predicted_gains(untouched, 4.0), truth[:, :, None]) > 0.6


def test_combined_estimates_weigh_the_same_whatever_their_scale():
    truth, gains = noisy_gains()
    first, second = truth + RNG.normal(size=truth.shape), truth + RNG.normal(size=truth.shape)
    both = combined([first, 1000 * second + 7])
    assert np.allclose(both, combined([first, second]), equal_nan=True)
    assert within_rho(both, gains) > max(within_rho(first, gains), within_rho(second, gains))


def test_within_rho_against_pandas_like_centring():
    truth, gains = noisy_gains(6, 3)
    estimate = truth + RNG.normal(size=truth.shape)
    pairs, mean = [], gains.mean(axis=2)
    for target in range(6):
        sources = [source for source in range(6) if source != target]
        pairs += zip(
            estimate[sources, target] - estimate[sources, target].mean(),
            mean[sources, target] - mean[sources, target].mean(),
            strict=True,
        )
    assert within_rho(estimate, gains) == pytest.approx(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    low, high = bootstrap_within(estimate, gains, draws=200)
    assert low < within_rho(estimate, gains) < high


def test_a_perfect_estimate_reaches_the_ceiling():
    truth, gains = noisy_gains(14, 8, noise=2.0)
    ceiling = split_half_reliability(within_target(gains))
    assert share_of_ceiling(within_rho(truth, gains), ceiling) == pytest.approx(1, abs=0.12)
    assert math.isnan(share_of_ceiling(0.3, -0.1))
    assert abs(share_of_ceiling(within_rho(RNG.normal(size=truth.shape), gains), ceiling)) < 0.3


def test_so_many_runs_correlate_with_the_truth_as_wanted():
    truth, gains = noisy_gains(40, 8, noise=2.0)
    stable, noise = stable_and_noise(gains)
    assert stable == pytest.approx(np.nanvar(within_target(truth[..., None])), rel=0.15)
    assert noise == pytest.approx(2.0**2, rel=0.1)
    runs = runs_for_share(stable, noise, 0.8)
    rng, more = np.random.default_rng(1), round(runs)
    fresh = truth[..., None] + 2.0 * rng.normal(size=(*truth.shape, more))
    assert within_rho(truth, fresh) == pytest.approx(0.8, abs=0.05)
    assert math.isinf(runs_for_share(*stable_and_noise(gains[..., :1]), 0.8))


def test_fewer_runs_are_less_reliable():
    truth, gains = noisy_gains(40, 8, noise=2.0)
    all_runs = within_rho(truth, gains) ** 2
    assert reliability_of_fewer(all_runs, gains, 8) == pytest.approx(all_runs)
    for runs in (2, 4):
        assert reliability_of_fewer(all_runs, gains, runs) == pytest.approx(
            within_rho(truth, gains[..., :runs]) ** 2, abs=0.05
        )


def test_sign_accuracy_is_balanced():
    truth, gains = noisy_gains(noise=0.0)
    assert sign_accuracy(truth, gains) == 1
    assert sign_accuracy(-truth, gains) == 0
    assert sign_accuracy(np.zeros_like(truth), gains) == 0.5


def test_regret_and_its_interval():
    arms = np.array([[[50.0, 52], [40, 42]], [[60, 62], [41, 43]]])
    assert regret(arms[0], arms) == pytest.approx(5.5)
    assert regret(np.maximum(arms[0], arms[1]), arms) == 0
    found = bootstrap(arms[1], arms)
    assert found["regret"][0] == 0
    value, low, high = found["gain"]
    assert value == pytest.approx(5.5)
    assert (low, high) == (1, 10)  # one task or the other twice


def test_the_paired_bootstrap_removes_what_arms_share():
    """Tasks differ by much more than arms; the interval of the gain does not."""
    base = 30 * RNG.normal(size=(24, 4))
    arms = np.stack([base, base + 2 + 0.1 * RNG.normal(size=(24, 4))])
    value, low, high = bootstrap(arms[1], arms)["gain"]
    assert value - 0.2 < low < high < value + 0.2


def test_clearly_worse_counts_tasks_below_their_error():
    alone = np.zeros((3, 4))
    chosen = np.array([[-1.0, -1, -1, -1], [-1, 1, -1, 1], [1, 1, 1, 1]])
    assert clearly_worse(chosen, alone) == pytest.approx(1 / 3)
    assert math.isnan(clearly_worse(chosen[:, :1], alone[:, :1]))


def row(arm, task, value, seed=1, group="", **changes):
    key = {"trainer": "VPT", "shots": 1, "seed": seed, "arm": arm, "group": group}
    return {**key, "task": task, "value": value, **changes}


def table():
    rows = [
        row(arm, task, 50.0 + i, seed) for seed in (1, 2) for i, arm in enumerate(("single", "all")) for task in "ab"
    ]
    rows += [row("pair", task, 53.0, 1, "a+b") for task in "ab"]
    rows += [row("estimate-grad", "a", 0.5, 1, "b"), row("estimate-grad", "b", 0.25, 1, "a"), row("all", "a", 9.0, 3)]
    return rows


def test_table_comes_back_sorted_and_complete(tmp_path):
    file = tmp_path / "results" / "sharing.csv"
    assert read_table(file) == []
    write_table(reversed(table()), file)
    found = read_table(file)
    assert sorted(map(str, found)) == sorted(map(str, table()))
    write_table(found, file)
    assert read_table(file) == found


def test_arrays_of_a_table():
    scores, tasks, seeds = score_array(table(), ("single", "all"))
    assert (scores.shape, tasks, seeds) == ((2, 2, 2), ("a", "b"), (1, 2))  # seed 3 lacks an arm
    assert scores[1].tolist() == [[51, 51], [51, 51]]
    gains, tasks, seeds = gain_array(table())
    assert (tasks, seeds) == (("a", "b"), (1,))
    assert gains[0, 1, 0] == gains[1, 0, 0] == 3
    assert np.isnan(gains[0, 0, 0])
    rows = [*table(), row("estimate-grad", "a", 0.75, 2, "b")]
    estimate = estimate_arrays(rows, tasks)["grad"]
    assert (estimate[1, 0], estimate[0, 1]) == (0.625, 0.25)  # the mean over the seeds that have it
    assert np.isnan(estimate[0, 0])


def test_what_is_missing_goes_seed_by_seed():
    class Args:
        seeds, shots, trainers, parts = (1, 2), (1,), ("VPT", "CoOp"), ("arms", "pairs")

    units = list(sharing.missing_units(Args, table()))
    assert ("VPT", 1, 1, "arms") not in units
    assert ("VPT", 1, 1, "pairs") not in units
    assert units[0] == ("CoOp", 1, 1, "arms")
    assert units[2] == ("VPT", 1, 2, "pairs")
    assert ("VPT", 1, 1, "estimates") in measured_units(table())


def test_the_plan_names_the_seeds_of_each_setting(monkeypatch, capsys):
    class Cheap:
        def __init__(self, args, trainer, shots, seed):
            pass

        def seconds(self, part):
            return {"arms": 360.0, "pairs": 720.0}[part]

    monkeypatch.setattr("benchmarks.sharing_suite.Suite", Cheap)
    args = sharing.argparse.Namespace(trainers=["VPT", "CoOp"])
    units = [("CoOp", 2, seed, part) for seed in (1, 2, 3, 5) for part in ("arms", "chosen")] + [("VPT", 1, 8, "pairs")]
    sharing.print_plan(args, units)
    assert capsys.readouterr().out.splitlines() == [
        "VPT, 1 image, seeds: pairs 8; 0.20 h",
        "CoOp, 2 images, seeds: arms 1-3,5, chosen 1-3,5; 0.40 h",
        "9 units missing; arms and pairs are estimated at 0.60 hours of one core",
    ]
    for words in ("1-3,5", "4", "1,3,5-8"):
        assert sharing._ranges(sharing._numbers(words)) == words


def test_report_of_a_table(capsys):
    rng = np.random.default_rng(1)
    tasks = [f"{subject}-{look}" for subject in ("cats", "cars") for look in ("plain", "dark")]
    rows = [
        row(arm, task, gain + rng.normal(), seed)
        for arm, gain in (("single", 50), ("all", 52), ("grouped-look", 55), ("chosen", 54))
        for task, seed in itertools.product(tasks, (1, 2, 3))
    ]
    for seed, (first, second) in itertools.product((1, 2, 3), itertools.combinations(tasks, 2)):
        rows += [row("pair", task, 51 + rng.normal(), seed, f"{first}+{second}") for task in (first, second)]
    rows += [row("estimate-grad", b, rng.normal(), 1, a) for a, b in itertools.permutations(tasks, 2)]
    found = sharing.report(rows, ["VPT", "UPT"], [1])["VPT-1"]
    assert found["best"] == "grouped-look"
    assert 0 < found["regret"] < 2
    assert found["pair_seeds"] == 3
    assert set(found["estimators"]) == {"grad"}
    printed = capsys.readouterr().out
    assert "regret against the best fixed arm" in printed
    assert "sign right" in printed


def test_what_follows_from_the_tables_is_up_to_date():
    """Tables of docs/, and the gains that the chooser knows."""
    for file, text in sharing_pages.current_files().items():
        assert file.read_text(encoding="utf-8") == text, f"{file}: run python benchmarks/sharing_pages.py"


def test_the_chooser_knows_what_the_table_says():
    """Each gain stands where the chooser looks for it, to the tenth of a point that the file keeps."""
    for (kind, shots, name), measured in measured_gains(read_table(sharing.RESULTS / "sharing.csv")).items():
        groups = (("a", "b"), ("c",)) if name != "all" else (("a", "b", "c"),)
        shown = "all" if name == "all" else f"{name}-2"
        candidates = [Candidate("single", (("a",), ("b",), ("c",))), Candidate(shown, groups)]
        candidates.append(Candidate(f"adapted-{shown}", groups, adapted=True))
        parts = ("text", "image") if kind == "both" else (kind,)
        known = known_gains(candidates, parts, shots=shots, zero_shot=[LITTLE_KNOWN, WELL_KNOWN])
        for candidate, pair in zip(candidates[1:], measured, strict=True):
            found = (*known[candidate.name].gain, known[candidate.name].spread)
            assert found == pytest.approx(pair, abs=0.051), (kind, shots, candidate.name)

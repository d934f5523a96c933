"""The tables' numbers against numpy and scipy, worked out here from the plain list of scores."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata
from support.scores import row, zero_shot

from mvlpt.errors import ConfigError, RunFolderError
from mvlpt.report.page.methods import best
from mvlpt.report.results import Method, Selection, as_markdown, results_table
from mvlpt.report.results.paired_test import holm, paired_test
from mvlpt.report.results.records import records
from mvlpt.report.results.selection import find_method

TASKS, SEEDS, ARMS = ("a", "b", "c", "d", "e", "f", "g"), (1, 2, 3), ("single", "all", "grouped")
ZERO = Method("ZeroshotCLIP", "zero_shot", 0)


def method(arm, trainer="MVLPT-VPT", shots=1, group=""):
    return Method(trainer, arm, shots, group)


@pytest.fixture(scope="module")
def numbers():
    """Scores (arm, task, seed) and of the frozen model (task)."""
    rng = np.random.default_rng(0)
    return rng.uniform(20, 90, (len(ARMS), len(TASKS), len(SEEDS))).round(6), rng.uniform(20, 90, len(TASKS)).round(6)


@pytest.fixture(scope="module")
def rows(numbers):
    tuned, frozen = numbers
    made = [zero_shot(task, frozen[i]) for i, task in enumerate(TASKS)]
    for (k, arm), (i, task), (j, seed) in itertools.product(enumerate(ARMS), enumerate(TASKS), enumerate(SEEDS)):
        made.append(row(task, tuned[k, i, j], seed, arm))
    return [*made, row("a", 0.0, split="val"), row("zzz", 0.0, split="train")]


def test_means_gains_and_ranks(numbers, rows):
    tuned, frozen = numbers
    table = results_table(reversed(rows), groups={"a": "vowel", "e": "vowel", "b": "other", "unused": "none"})
    assert table.methods == (ZERO, method("single"), method("all"), method("grouped"))
    assert table.tasks == ("a", "e", "b", "c", "d", "f", "g")
    ranks = rankdata(-np.vstack([frozen, *tuned.mean(axis=2)]), axis=0).mean(axis=1)
    for k, arm in enumerate(ARMS):
        summary = next(one for one in table.summaries if one.method == method(arm))
        by_seed = tuned[k].mean(axis=0)
        assert summary.overall.mean == pytest.approx(by_seed.mean())
        assert summary.overall.sd == pytest.approx(by_seed.std(ddof=1))
        assert summary.by_group["vowel"].mean == pytest.approx(tuned[k][[0, 4]].mean())
        assert summary.by_group["vowel"].sd == pytest.approx(tuned[k][[0, 4]].mean(axis=0).std(ddof=1))
        assert summary.over_zero_shot == pytest.approx(tuned[k].mean() - frozen.mean())
        over_single = None if arm == "single" else pytest.approx(tuned[k].mean() - tuned[0].mean())
        assert summary.over_single == over_single
        assert summary.rank == pytest.approx(ranks[k + 1])
        cell = table.cell(method(arm), "c")
        assert (cell.mean, cell.sd) == (pytest.approx(tuned[k, 2].mean()), pytest.approx(tuned[k, 2].std(ddof=1)))
    assert table.summaries[0].overall.sd is None
    assert table.summaries[0].over_zero_shot is None
    assert table.group_names == ("vowel", "other")
    assert table.notes == ()


def signed_rank_p(differences):
    """Wilcoxon's test by its definition: how many of all signs give a sum at least as far from its mean."""
    d = np.array([one for one in differences if one])
    ranks = rankdata(np.abs(d))
    far = abs(ranks[d > 0].sum() - ranks.sum() / 2) - 1e-9
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(d))]
    return np.mean([abs(one - ranks.sum() / 2) >= far for one in sums])


def test_paired_tests_over_tasks(numbers, rows):
    tuned, frozen = numbers
    table = results_table(rows)
    means = {ZERO: frozen, **{method(arm): tuned[k].mean(axis=1) for k, arm in enumerate(ARMS)}}
    assert [(one.first.arm, one.second.arm) for one in table.comparisons] == [
        *[("single", "zero_shot"), ("all", "zero_shot"), ("all", "single")],
        *[("grouped", "zero_shot"), ("grouped", "single"), ("grouped", "all")],
    ]
    for one in table.comparisons:
        differences = means[one.first] - means[one.second]
        assert one.test.p == pytest.approx(signed_rank_p(differences))
        assert one.test.mean == pytest.approx(differences.mean())
        assert one.test.median == pytest.approx(np.median(differences))
        assert (one.test.better, one.test.worse) == ((differences > 0).sum(), (differences < 0).sum())
    chosen = results_table(rows, compare=[("grouped", "single"), ("MVLPT-VPT/all", "ZeroshotCLIP")])
    assert [(one.first.arm, one.second.arm) for one in chosen.comparisons] == [
        ("grouped", "single"),
        ("all", "zero_shot"),
    ]


@pytest.mark.parametrize("differences", [[1, -2, 3, 4, 5, 6, 7], [1, 1, -1, 2, 2, 3], [0, 0, 1.5, -2, 3, 1, 0.5, 4, 9]])
def test_a_test_drops_zeros_and_shares_ranks(differences):
    found = paired_test(differences)
    assert found.p == pytest.approx(signed_rank_p(differences))
    assert (found.n, found.nonzero) == (len(differences), np.count_nonzero(differences))
    assert found.note == ""


def test_a_test_says_when_it_cannot_tell():
    assert paired_test([0, 0, 1e-9]).p is None
    assert paired_test([0, 0, 1e-9]).note == "equal on every task"
    assert paired_test([0]).note == "equal on the only task"
    small = paired_test([1, 2, 3, 4, 5])
    assert small.p == pytest.approx(2 / 2**5)
    assert small.note == "small n: with 5 tasks that differ, p cannot be below 0.0625"
    with pytest.raises(ValueError, match="at least one task"):
        paired_test([])


def test_holm_by_hand():
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_lower_may_be_better():
    values = {("single", "a"): 9, ("single", "b"): 8, ("all", "a"): 5, ("all", "b"): 8.5}
    kind = {"metric": "calibration_error", "higher_is_better": False}
    rows = [row(task, value, arm=arm, **kind) for (arm, task), value in values.items()]
    table = results_table(rows)
    single, shared = table.summaries
    assert (single.rank, shared.rank) == (1.5, 1.5)
    assert shared.over_single == pytest.approx((4 - 0.5) / 2)
    assert table.comparisons[0].test.better == 1


def test_equal_scores_share_ranks():
    rows = [row("a", value, arm=arm) for arm, value in (("single", 50), ("all", 50), ("grouped", 40))]
    assert [one.rank for one in results_table(rows).summaries] == [1.5, 1.5, 3]


def test_missing_scores_stay_empty_and_are_said(rows):
    kept = [one for one in rows if not (one["arm"] == "all" and one["task"] in "bc")]
    table = results_table(kept)
    assert table.cell(method("all"), "b") is None
    assert table.common == ("a", "d", "e", "f", "g")
    assert "MVLPT-VPT all-together 1-shot: no score on 2 of 7 tasks (b, c)" in table.notes
    assert "Means, gains and ranks are over the 5 tasks that every method has" in table.notes
    assert all(one.overall.tasks == 5 for one in table.summaries)


def test_no_task_in_common():
    table = results_table([row("a", 1), row("c", 6), row("b", 2, arm="all")])
    assert [(one.overall.mean, one.overall.tasks, one.rank) for one in table.summaries] == [
        (3.5, 2, None),
        (2, 1, None),
    ]
    assert any(note.startswith("No task has a score of every method") for note in table.notes)
    assert table.comparisons == ()


def test_unequal_seeds_are_said():
    rows = [row("a", 1, 1), row("a", 3, 2), row("b", 5, 1), row("a", 2, 1, "all"), row("b", 2, 1, "all")]
    table = results_table(rows)
    assert "The seeds differ: MVLPT-VPT single-task 1-shot: 1, 2; MVLPT-VPT all-together 1-shot: 1" in table.notes
    assert any("tasks lack seeds (b: 2)" in note for note in table.notes)
    single = table.summaries[0].overall
    assert (single.mean, single.sd) == (3.5, None)  # of 2 and 5; no deviation over unlike sets of tasks
    assert results_table([row("a", 1)]).notes == ("One seed only: there is no deviation",)


def test_other_things_to_mind():
    rows = [row("a", 1, split="torchvision"), row("b", 1, higher_is_better=False), zero_shot("c", 1)]
    notes = results_table([*rows, row("c", 2, trainer="Z2", arm="zero_shot")]).notes
    assert "torchvision's test split stands in for the benchmark's own: a" in notes
    assert any(note.startswith("Lower is better on b") for note in notes)
    assert "Several zero-shot methods (Z2, ZeroshotCLIP): no gain over zero-shot is shown" in notes


def test_both_directions_have_no_mean():
    table = results_table([row("a", 1), row("b", 1, higher_is_better=False)])
    assert table.summaries[0].overall is None
    assert table.cell(method("single"), "b").mean == 1


def test_a_selection_keeps_its_references(numbers, rows):
    tuned, frozen = numbers
    others = [row("a", value, 1, trainer="MVLPT-CoOp") for value in (1, 2)]  # a contradiction that is not asked for
    table = results_table([*rows, *others], select=Selection(trainers=("MVLPT-VPT",), arms=("grouped",)))
    assert table.methods == (method("grouped"),)
    assert table.summaries[0].over_zero_shot == pytest.approx(tuned[2].mean() - frozen.mean())
    assert table.summaries[0].over_single == pytest.approx(tuned[2].mean() - tuned[0].mean())
    assert results_table(rows, select=Selection(shots=(1,))).methods[0] == ZERO
    assert results_table(rows, select=Selection(tasks=("b", "c"), seeds=(2,))).tasks == ("b", "c")


def test_groups_of_a_transfer_study_are_separated():
    values = (("s2", 3), ("s10", 4))
    table = results_table([row("a", value, arm="transfer", group=group) for group, value in values])
    assert [one.group for one in table.methods] == ["s2", "s10"]
    assert table.comparisons == ()
    rows = [row("a", value, arm="grouped", group=group) for group, value in values]
    with pytest.raises(RunFolderError, match=r"has two values: 3 \(.*group s2\) and 4 \(.*--split-groups"):
        results_table(rows)
    assert [one.group for one in results_table(rows, split_groups=True).methods] == ["s2", "s10"]


def test_pairs_are_shown_when_asked_for():
    rows = [row("a", 3), row("a", 4, arm="pair", group="a+b"), row("b", 5, arm="pair", group="a+b")]
    assert [one.arm for one in results_table(rows).methods] == ["single"]
    assert results_table(rows, select=Selection(arms=("pair",))).summaries[0].over_single == 1
    with pytest.raises(RunFolderError, match="of the arm 'pair' only; name it with --arm"):
        results_table(rows[1:])


CONTRADICTIONS = {
    "two runs": (
        [row("a", 1, run="r1", source_file="x/results.jsonl"), row("a", 2, run="r2", source_file="y/results.jsonl")],
        r"1-shot on task 'a', seed 1, has two values: 1 \(x/results.jsonl, run r1\) and 2 \(y/results.jsonl",
    ),
    "two epochs": ([row("a", 1), row("a", 2, epoch=10)], "epoch 30.*epoch 10"),
    "two metrics": ([row("a", 1), row("a", 2, metric="mAP", arm="all")], "measured with metric 'accuracy' and 'mAP'"),
    "two splits": ([row("a", 1), row("a", 2, split="torchvision")], "choose one with --split"),
    "not a number": ([row("a", "12")], "is '12', not a number"),
    "not finite": ([row("a", float("nan"))], "is nan, not a number"),
    "no test score": ([row("a", 1, split="train")], "no score"),
    "nothing": ([], "no score"),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_rows_that_cannot_be_used(kind):
    rows, said = CONTRADICTIONS[kind]
    with pytest.raises(RunFolderError, match=said):
        results_table(rows)


def test_validation_and_test_scores_are_kept_apart():
    validated = [row("a", 10, split="val"), row("b", 20, split="val"), row("a", 70, arm="all", split="val")]
    table = results_table(validated)
    assert table.scores.kind == "validation"
    assert {str(cell.method): cell.overall.mean for cell in table.summaries} == {
        "MVLPT-VPT single-task 1-shot": 10,
        "MVLPT-VPT all-together 1-shot": 70,
    }
    both = [*validated, row("a", 30), row("b", 50)]
    table = results_table(both)
    assert (table.scores.kind, [cell.overall.mean for cell in table.summaries]) == ("test", [40])
    assert any("left out: MVLPT-VPT all-together 1-shot; --split val" in note for note in table.notes)
    chosen = results_table(both, select=Selection(splits=("val",)))
    assert (chosen.scores.kind, chosen.cell(method("single"), "b").mean) == ("validation", 20)
    with pytest.raises(ConfigError, match="do not compare; give --split val by itself"):
        results_table(both, select=Selection(splits=("val", "test")))


def test_the_same_row_twice_is_one(rows):
    assert results_table([*rows, *rows]).summaries == results_table(rows).summaries


@pytest.mark.parametrize(
    ("select", "said"),
    [
        (Selection(trainers=("MVLPT-VTP",)), "did you mean 'MVLPT-VPT'"),
        (Selection(shots=(7,)), "No result has shots '7'"),
        (Selection(metrics=("acc",)), "did you mean 'accuracy'"),
    ],
)
def test_a_selection_of_what_is_not_there(rows, select, said):
    with pytest.raises(ConfigError, match=said):
        results_table(rows, select=select)


def test_a_method_is_found_by_its_parts():
    methods = [ZERO, method("single"), method("single", shots=4), method("all")]
    assert find_method("mvlpt-vpt/single/4", methods) == methods[2]
    assert find_method("all-together", methods) == methods[3]
    with pytest.raises(ConfigError, match="fits 2 methods"):
        find_method("MVLPT-VPT/single", methods)
    with pytest.raises(ConfigError, match="did you mean 'MVLPT-VPT/all/1'"):
        find_method("MVLPT-VPT/alll/1", methods)
    with pytest.raises(ConfigError, match="No method"):
        find_method("/", methods)


def test_scores_on_half_of_the_classes_are_compared_with_those_on_the_same_half():
    rows = [zero_shot("a", 40), row("a", 50), row("a", 55, arm="all")]
    rows += [row("a", value, arm=arm) for arm, value in (("base", 80), ("new", 70))]
    rows += [
        row("a", value, arm=arm, trainer="ZeroshotCLIP", shots=0, seed=0) for arm, value in (("base", 79), ("new", 72))
    ]
    table = results_table(rows)
    found = {(one.method.trainer, one.method.arm): one for one in table.summaries}
    mine = {arm: found["MVLPT-VPT", arm] for arm in ("single", "all", "base", "new")}
    assert {arm: one.over_zero_shot for arm, one in mine.items()} == {"single": 10, "all": 15, "base": 1, "new": -2}
    assert {arm: one.over_single for arm, one in mine.items()} == {"single": None, "all": 5, "base": None, "new": None}
    assert {arm: one.rank for arm, one in mine.items()} == {"single": 2, "all": 1, "base": 1, "new": 2}
    assert found["ZeroshotCLIP", "base"].over_zero_shot is None
    pairs = {(one.first.arm, one.second.arm) for one in table.comparisons}
    assert pairs == {("single", "zero_shot"), ("all", "zero_shot"), ("all", "single"), ("base", "base"), ("new", "new")}
    bold = {line.split("|")[1].strip(): line for line in as_markdown(table, ("scores",)).splitlines() if "|" in line}
    assert bold["a"].count("**") == 2 * 3  # the best of each kind: 55, 80, 72
    kept = {(one["trainer"], one["arm"]): one for one in records(table)["scores"]}
    assert kept["MVLPT-VPT", "new"]["gain_over_zero_shot"] == -2
    assert best(table) == method("all")


def test_the_untrained_model_on_half_of_the_classes_is_a_reference_as_zero_shot_is():
    rows = [row("a", 80 + seed, seed, arm) for arm in ("base", "new") for seed in (1, 2)]
    rows += [row("a", 79, 0, arm, "ZeroshotCLIP", shots=0) for arm in ("base", "new")]
    table = results_table(rows)
    assert not any("seeds differ" in note for note in table.notes)
    assert "ZeroshotCLIP base classes" in map(str, table.methods)
    assert "1-shot" in as_markdown(table, ("summary",)).splitlines()[0]  # one number of shots, in the title
    chosen = results_table(rows, select=Selection(trainers=("MVLPT-VPT",), arms=("base",), seeds=(1,)))
    assert [one.over_zero_shot for one in chosen.summaries if one.method.shots] == [2]
    assert "harmonic" not in as_markdown(chosen)


def test_of_many_methods_those_are_named_whose_seeds_differ_from_most():
    rows = [row("a", 50, seed, trainer=f"T{i}") for i in range(9) for seed in ((1, 2) if i else (1,))]
    assert results_table(rows).notes[0] == "The seeds differ: 1, 2 for most methods; T0 single-task 1-shot: 1"

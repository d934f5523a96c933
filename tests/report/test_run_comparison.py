"""Runs against each other: options, pairs, tests by an independent formula, images that changed sides."""

import csv
import io
import itertools
import json

import numpy as np
import pytest
from scipy.stats import binomtest, wilcoxon
from support.run_folders import predictions, run_folder

from mvlpt.cli import main
from mvlpt.errors import ConfigError, RunFolderError
from mvlpt.report.results import results_table
from mvlpt.report.runs import compare_runs, comparison_sheets
from mvlpt.report.runs.paired import sign_flip_test, sign_test
from mvlpt.report.sheets import signed


def scores(rng, tasks="abcdefgh"):
    return {task: float(value) for task, value in zip(tasks, rng.uniform(40, 80, len(tasks)).round(3), strict=True)}


def flips(differences):
    """By its definition: how many signs give a sum at least as far from zero."""
    d = np.array(differences)
    sums = [abs(np.dot(signs, d)) for signs in itertools.product((-1, 1), repeat=len(d))]
    return np.mean([one >= abs(d.sum()) - 1e-9 for one in sums])


def test_two_runs_that_differ_in_one_option(tmp_path):
    rng = np.random.default_rng(1)
    first, second = scores(rng), scores(rng)
    run_folder(tmp_path / "a", first, OPTIM__LR=0.1)
    run_folder(tmp_path / "b", second, OPTIM__LR=0.2)
    found = compare_runs([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [(option.key, option.values) for option in found.options] == [("OPTIM.LR", ("0.1", "0.2"))]
    assert [side.label for side in found.sides] == ["OPTIM.LR 0.1", "OPTIM.LR 0.2"]
    d = [second[task] - first[task] for task in first]
    assert [line.gains[1] for line in found.lines] == pytest.approx(d)
    assert found.mean(1) == pytest.approx(np.mean(list(second.values())))
    tests = {test.test: test for test in found.tests}
    assert tests["Wilcoxon signed-rank"].p == pytest.approx(wilcoxon(d).pvalue)
    assert tests["sign flips of the mean"].p == pytest.approx(flips(d))
    assert tests["sign"].p == pytest.approx(binomtest(sum(one > 0 for one in d), len(d)).pvalue)
    assert {test.over for test in found.tests} == {"tasks"}
    (note,) = found.notes
    assert f"--eval-only --model-dir {tmp_path / 'a'} --output-dir {tmp_path / 'a'}-predictions" in note


def test_with_one_task_seeds_are_paired(tmp_path):
    rng = np.random.default_rng(2)
    values = rng.uniform(40, 80, (2, 6)).round(3)
    for index, name in enumerate("ab"):
        for seed in range(6):
            run_folder(
                tmp_path / name / str(seed), {"cats": values[index, seed]}, seed=seed, OPTIM__MAX_EPOCH=index + 1
            )
    found = compare_runs([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [option.key for option in found.options] == ["OPTIM.MAX_EPOCH"]
    (line,) = found.lines
    assert (line.seeds, line.gains[1]) == (6, pytest.approx((values[1] - values[0]).mean()))
    tests = {test.test: test for test in found.tests}
    assert tests["sign flips of the mean"].over == "seeds"
    assert tests["sign flips of the mean"].p == pytest.approx(flips(values[1] - values[0]))


def test_experiments_are_paired_by_method(tmp_path):
    for name, gain in (("first", 0), ("second", 3)):
        for seed in (1, 2):
            run_folder(tmp_path / name / f"v{seed}", {"a": 50 + gain, "b": 60 + gain}, seed=seed, arm="all")
            run_folder(tmp_path / name / f"c{seed}", {"a": 40, "b": 45 + seed}, seed=seed, TRAINER__NAME="MVLPT-CoOp")
    found = compare_runs([str(tmp_path / "first"), str(tmp_path / "second")])
    gains = {(line.method.trainer, line.task): line.gains[1] for line in found.lines}
    assert gains == {("MVLPT-VPT", "a"): 3, ("MVLPT-VPT", "b"): 3, ("MVLPT-CoOp", "a"): 0, ("MVLPT-CoOp", "b"): 0}
    assert [side.label for side in found.sides] == ["first", "second"]


def test_several_runs_are_compared_with_the_first_and_corrected(tmp_path):
    rng = np.random.default_rng(3)
    for name in "abc":
        run_folder(tmp_path / name, scores(rng), OPTIM__LR=0.1 + ord(name))
    found = compare_runs([str(tmp_path / name) for name in "abc"])
    p = [test.p for test in found.tests if test.test == "sign"]
    corrected = [test.p_holm for test in found.tests if test.test == "sign"]
    assert sorted(corrected)[0] == pytest.approx(min(1, 2 * min(p)))


def test_images_that_changed_sides(tmp_path, capsys):
    before, after = np.array([1, 1, 0, 0, 0, 0, 1, 0], bool), np.array([1, 0, 1, 1, 1, 1, 1, 0], bool)
    for name, right, rate in (("a", before, 0.1), ("b", after, 0.2)):
        folder = run_folder(tmp_path / name, {"cats": 100 * right.mean()}, OPTIM__LR=rate)
        predictions(folder, "cats", right)
    words = [str(tmp_path / "a"), str(tmp_path / "b")]
    found = compare_runs(words)
    (change,) = found.changes
    assert (change.better, change.worse, change.p) == (4, 1, pytest.approx(binomtest(4, 5).pvalue))
    (unit,) = change.units
    assert (unit.both, unit.neither, unit.gained, unit.lost) == (2, 1, 4, 1)
    assert [image.image for image in unit.images if not image.gained] == ["/data/cats/1.png"]
    assert (unit.images[0].classes, unit.images[0].first, unit.images[0].second) == (("dog",), "dog", "cat")
    assert found.notes == ()
    assert main(["compare", *words, "--images", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2 of 5 images that changed sides" in shown
    assert "cats/1.png" in shown
    assert "McNemar" in shown
    assert main(["compare", *words, "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["images"][0]["changed"]) == 5
    predictions(run_folder(tmp_path / "c", {"cats": 50}), "cats", before[:4])
    assert "The test images of cats are not the same" in compare_runs([words[0], str(tmp_path / "c")]).notes[0]


def test_formats(tmp_path, capsys):
    run_folder(tmp_path / "a", {"cats": 50, "=dogs": 60}, OPTIM__LR=0.1)
    run_folder(tmp_path / "b", {"cats": 55.5, "=dogs": 60}, OPTIM__LR=0.2, OPTIM__MAX_EPOCH=3)
    words = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["compare", *words, "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(line["task"], float(line["gain of b"])) for line in lines] == [("'=dogs", 0), ("cats", 5.5)]
    assert main(["compare", *words, "--out", str(tmp_path / "c.md")]) == 0
    assert f"| {tmp_path}/a | 55.0 | 0.1 |" in (tmp_path / "c.md").read_text().replace("\\_", "_")
    assert main(["compare", *words]) == 0
    assert "Runs differ in 2 options" in capsys.readouterr().out


def test_what_cannot_be_compared(tmp_path):
    run_folder(tmp_path / "a", {"cats": 50})
    run_folder(tmp_path / "b", {"dogs": 50})
    run_folder(tmp_path / "bad", {}, state="failed")
    run_folder(tmp_path / "two" / "x", {"cats": 50}, OPTIM__LR=0.1)
    run_folder(tmp_path / "two" / "y", {"cats": 51}, OPTIM__LR=0.2)
    a, b, bad, two = (str(tmp_path / name) for name in ("a", "b", "bad", "two"))
    with pytest.raises(ConfigError, match="only one run to compare"):
        compare_runs([a])
    with pytest.raises(ConfigError, match="named twice"):
        compare_runs([a, a + "/"])
    with pytest.raises(
        ConfigError, match=r"have no score of the same task, so there is nothing to compare; .*, not cats and dogs$"
    ):
        compare_runs([a, b])
    with pytest.raises(RunFolderError, match=r"is failed \(DataError: broken\) and has no scores"):
        compare_runs([a, bad])
    with pytest.raises(RunFolderError, match="holds two scores of MVLPT-VPT single-task 1-shot on task 'cats', seed 1"):
        compare_runs([a, two])


def test_sign_tests():
    assert sign_flip_test([0, 0]) is None
    assert sign_flip_test([1, 2, 3]) == 0.25
    many = np.random.default_rng(0).normal(0.5, 1, 40)
    assert sign_flip_test(many) == pytest.approx(sign_flip_test(many))
    assert 0 < sign_flip_test(many) < 0.05
    assert sign_test(0, 0) is None
    assert sign_test(5, 0) == pytest.approx(2 / 2**5)


def test_results_label_runs_that_differ_in_an_option(tmp_path, capsys):
    run_folder(tmp_path / "a", {"cats": 50, "dogs": 50}, OPTIM__LR=0.1)
    run_folder(tmp_path / "b", {"cats": 60, "dogs": 50}, OPTIM__LR=0.2)
    run_folder(tmp_path / "c", {"cats": 70}, arm="adapted", RUN__INIT_FROM="a")
    words = [str(tmp_path / name) for name in "abc"]
    assert main(["results", *words, "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    cats = {(line["arm"], line["variant"]): line["mean"] for line in lines if line["task"] == "cats"}
    assert cats == {("single", "OPTIM.LR 0.1"): "50.0", ("single", "OPTIM.LR 0.2"): "60.0", ("adapted", ""): "70.0"}
    assert main(["results", *words, "--compare", "single/0.1", "single/0.2", "--table", "tests"]) == 0
    assert "OPTIM.LR 0.1" in capsys.readouterr().out
    run_folder(tmp_path / "again", {"cats": 51, "dogs": 50}, OPTIM__LR=0.1)
    assert main(["results", str(tmp_path / "a"), str(tmp_path / "again")]) == 2  # the same run: a real contradiction
    assert "has two values" in capsys.readouterr().err


def test_rows_without_folders_stay_as_they_are():
    from support.scores import row

    with pytest.raises(RunFolderError, match="has two values"):
        results_table([row("cats", 1, run="a"), row("cats", 2, run="b")])


def test_images_that_other_seeds_have_not_are_left_out(tmp_path):
    for name, right in (("a", [1, 0, 1]), ("b", [1, 1, 1])):
        for seed in (1, 2):
            folder = run_folder(tmp_path / name / str(seed), {"cats": 50}, seed=seed)
            predictions(folder, "cats", np.array(right[: 1 + seed], dtype=bool))
    found = compare_runs([str(tmp_path / name) for name in "ab"])
    assert [unit.unit.seed for unit in found.changes[0].units] == [1]
    assert "The test images of cats are not the same in all runs" in found.notes


def test_means_and_mean_gains_are_over_the_same_lines(tmp_path):
    for name, values in (("a", {"cats": 50, "dogs": 60}), ("b", {"cats": 52, "dogs": 70}), ("c", {"cats": 51})):
        run_folder(tmp_path / name, values, OPTIM__MAX_EPOCH=ord(name))
    found = compare_runs([str(tmp_path / name) for name in "abc"])
    assert [found.mean(side) for side in range(3)] == [50, 52, 51]
    assert [found.mean_gain(side) for side in (1, 2)] == [2, 1]
    assert "1 of 2 lines lack a score of some run; means leave them out" in found.notes
    last = comparison_sheets(found)[1].rows[-1]
    assert [entry.text for entry in last] == ["mean", "50.0", "52.0", "51.0", "+2.0", "+1.0"]


def test_signs_of_differences():
    assert [signed(value) for value in (0.0, -0.04, -0.06, None)] == ["0.0", "0.0", "-0.1", ""]

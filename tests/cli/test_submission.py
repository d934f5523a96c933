"""``mvlpt submission`` as a person uses it: from runs to a checked zip, in small."""

import json
from pathlib import Path

import pytest

from mvlpt.cli import main

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml"
SHAPES = {"toy-warm": [12, 3], "toy-cold": [8, 2]}


@pytest.fixture(scope="module")
def made(toy_tasks, tmp_path_factory):
    """Three seeds of a shared prompt, their files, and the table of the small benchmark."""
    root = tmp_path_factory.mktemp("submission")
    (root / "shapes.json").write_text(json.dumps(SHAPES))
    for seed in (0, 1, 2):
        line = ["train", "--config-file", CONFIG, "--dataset", "toy-warm,toy-cold", "--shots", 5, "--seed", seed]
        line += ["--output-dir", root / f"run{seed}", "--quiet", "OPTIM.MAX_EPOCH", 1, "RUN.TENSORBOARD", False]
        assert main([str(word) for word in [*line, "TEST.PREDICTIONS", True]]) == 0
    return root


def submission(made, *words):
    return main(["submission", *map(str, words), "--shapes", str(made / "shapes.json")])


def test_from_runs_to_a_zip(made, tmp_path, capsys):
    out = tmp_path / "predictions"
    assert (
        submission(made, "write", made / "run0", made / "run1", made / "run2", "--out", out, "--model-name", "toy") == 0
    )
    assert len(list(out.glob("seed?_toy-*.json"))) == 6
    assert submission(made, "validate", out) == 0
    assert submission(made, "merge", out) == 0
    shown = capsys.readouterr().out
    assert "submission: " in shown
    assert submission(made, "validate", out / "all_predictions.zip") == 0
    assert "nothing is wrong" in capsys.readouterr().out
    (out / "seed1_toy-warm.json").unlink()
    (out / "all_predictions.zip").unlink()
    assert submission(made, "merge", out) == 1
    assert "problem: toy-warm: its seeds are 0, 2; the leaderboard requires 0, 1, 2" in capsys.readouterr().out
    assert not (out / "all_predictions.zip").exists()
    assert submission(made, "validate", out / "seed0_toy-warm.json") == 0


def test_mistakes_are_one_sentence_with_status_2(made, tmp_path, capsys):
    (tmp_path / "bad.json").write_text("[1]")
    wrong = [
        (["write", tmp_path, "--out", tmp_path / "x"], "recorded no predictions; repeat its command with --eval-only"),
        (["merge", tmp_path / "absent"], "There is no folder"),
        (["validate", tmp_path / "absent.json"], "absent.json does not exist"),
        (["validate", tmp_path / "bad.json"], "bad.json, byte 0: '{' is missing"),
    ]
    for words, expected in wrong:
        assert submission(made, *words) == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ")
        assert expected in said
        assert "\n" not in said
    assert main(["submission", "validate", str(tmp_path), "--shapes", str(tmp_path / "bad.json")]) == 2
    assert "must read" in capsys.readouterr().err
    assert main(["submission", "write", str(made / "run0"), "--out", str(tmp_path / "x")]) == 2
    assert "'toy-warm' of the run" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_runs_that_do_not_fit_the_benchmark(made, tmp_path, capsys):
    for table, expected in (
        ({"toy-warm": [13, 3], "toy-cold": [8, 2]}, "predictions of shape (12, 3) for toy-warm"),
        ({"toy-warm": [12, 3]}, "'toy-cold' of the run"),
    ):
        (tmp_path / "shapes.json").write_text(json.dumps(table))
        line = ["submission", "write", made / "run0", "--out", tmp_path / "x", "--shapes", tmp_path / "shapes.json"]
        assert main([str(word) for word in line]) == 2
        assert expected in capsys.readouterr().err
        assert not (tmp_path / "x").exists()


def test_incomplete_predictions_are_refused(made, tmp_path, capsys):
    folder = tmp_path / "run" / "predictions"
    folder.mkdir(parents=True)
    index = json.loads((made / "run0" / "predictions" / "index.json").read_text())
    index["tasks"] = [{**index["tasks"][0], "missing": 2}]
    (folder / "index.json").write_text(json.dumps(index))
    (folder / index["tasks"][0]["file"]).write_bytes(
        (made / "run0/predictions" / index["tasks"][0]["file"]).read_bytes()
    )
    assert submission(made, "write", tmp_path / "run", "--out", tmp_path / "x") == 2
    assert "2 of 12 test images of toy-warm could not be read" in capsys.readouterr().err


def test_rows_in_the_order_of_another_source_are_refused(made, tmp_path, capsys):
    folder = tmp_path / "run" / "predictions"
    folder.mkdir(parents=True)
    index = json.loads((made / "run0" / "predictions" / "index.json").read_text())
    for task in index["tasks"]:
        task["source"] = "torchvision"
        (folder / task["file"]).write_bytes((made / "run0/predictions" / task["file"]).read_bytes())
    (folder / "index.json").write_text(json.dumps(index))
    assert submission(made, "write", tmp_path / "run", "--out", tmp_path / "x") == 2
    assert "whose order of test images can differ from the benchmark's" in capsys.readouterr().err
    assert submission(made, "write", tmp_path / "run", "--out", tmp_path / "x", "--any-order") == 0


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["submission", "--help"])
    assert "examples:" in capsys.readouterr().out


def test_the_rule_that_drew_the_training_images_is_recorded_and_checked(made, tmp_path, capsys, monkeypatch, caplog):
    from mvlpt.errors import DataError
    from mvlpt.report.leaderboard import TaskShape, write_run
    from mvlpt.report.leaderboard.run_predictions import run_predictions

    index = json.loads((made / "run0" / "predictions" / "index.json").read_text())
    assert index["sampling"] == {"rule": "independent", "shots": 5, "seed": 0, "merge_val": False}
    assert submission(made, "write", made / "run0", "--out", tmp_path / "warned") == 0
    assert "by the rule 'independent', not by the benchmark's" in caplog.text

    small = {name: TaskShape(*shape) for name, shape in SHAPES.items()}
    monkeypatch.setattr("mvlpt.report.leaderboard.run_predictions.benchmark_shapes", lambda: small)
    with pytest.raises(DataError, match=r"by the rule 'independent'.*DATASET\.SAMPLING elevater, or add --any-sample"):
        write_run(made / "run0", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert len(write_run(made / "run0", tmp_path / "y", any_sample=True)) == 2

    folder = tmp_path / "run" / "predictions"
    folder.mkdir(parents=True)
    for sampling, expected in (
        ({"rule": "elevater", "shots": 5, "seed": 0}, ""),
        ({"rule": "elevater", "shots": 5, "seed": 1}, "tuned on 5 shots of seed 1"),
        ({"rule": "elevater", "shots": 20, "seed": 0}, "tuned on 20 shots of seed 0"),
        (None, "does not say by which rule"),
        ({}, "does not say by which rule"),
        ({"rule": "elevater", "shots": 5}, "tuned on 5 shots of seed various"),
    ):
        (folder / "index.json").write_text(json.dumps({**index, "sampling": sampling}))
        problem = next(run_predictions(tmp_path / "run")).sampling
        assert expected in problem
        assert bool(expected) == bool(problem)
    (folder / "index.json").write_text(json.dumps({**index, "shots": -1, "sampling": [1]}))
    assert "does not say by which rule" in next(run_predictions(tmp_path / "run")).sampling


def test_an_evaluation_records_the_rule_of_its_prompt(made, tmp_path):
    line = ["train", "--config-file", CONFIG, "--dataset", "toy-warm,toy-cold", "--shots", 5, "--seed", 7, "--quiet"]
    line += ["--model-dir", made / "run1", "--eval-only", "--output-dir", tmp_path / "run"]
    assert main([str(word) for word in [*line, "TEST.PREDICTIONS", True, "DATASET.SAMPLING", "elevater"]]) == 0
    index = json.loads((tmp_path / "run" / "predictions" / "index.json").read_text())
    assert index["sampling"] == {"rule": "independent", "shots": 5, "seed": 1, "merge_val": False}
    assert main([str(word) for word in [*line[:-1], tmp_path / "all", "--shots", -1, "TEST.PREDICTIONS", True]]) == 0
    from mvlpt.report.leaderboard.run_predictions import run_predictions

    assert next(run_predictions(tmp_path / "all")).sampling  # a prompt of 5 shots is none of all images

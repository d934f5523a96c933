"""The results file: whole lines, no duplicates, and arms inferred from the run."""

import json

import pytest

from mvlpt.config import get_cfg_default
from mvlpt.engine import RESULT_FIELDS, arm_of, read_results, result_rows, write_results
from mvlpt.engine.evaluation import TaskScore
from mvlpt.errors import RunFolderError


def config(**options):
    cfg = get_cfg_default()
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    return cfg


SCORE = TaskScore("pets", "accuracy", 81.25, True, 16)


def test_a_row_has_the_contracts_fields_in_order(tmp_path):
    cfg = config(TRAINER__NAME="MVLPT-CoOp", DATASET__NAME="pets", DATASET__NUM_SHOTS=4, SEED=2)
    (row,) = result_rows(cfg, [SCORE], "test", 50)
    assert tuple(row) == RESULT_FIELDS
    assert {k: row[k] for k in ("arm", "task", "split", "metric", "value", "shots", "seed", "epoch", "n")} == {
        "arm": "single", "task": "pets", "split": "test", "metric": "accuracy", "value": 81.25, "shots": 4, "seed": 2,
        "epoch": 50, "n": 16,
    }  # fmt: skip
    write_results([row], tmp_path / "results.jsonl")
    assert json.loads((tmp_path / "results.jsonl").read_text()) == row


def test_rows_of_the_same_score_replace_each_other(tmp_path):
    path = tmp_path / "results.jsonl"
    cfg = config(TRAINER__NAME="MVLPT-CoOp", DATASET__NAME="pets", SEED=1)
    write_results(result_rows(cfg, [SCORE], "test", 1), path)
    write_results(result_rows(cfg, [SCORE, TaskScore("cars", "accuracy", 1.0, True, 2)], "test", 1), path)
    assert [row["task"] for row in read_results(path)] == ["pets", "cars"]


@pytest.mark.parametrize(
    ("options", "arm"),
    [
        ({"TRAINER__NAME": "ZeroshotCLIP", "DATASET__NAME": "a"}, "zero_shot"),
        ({"TRAINER__NAME": "CoOp", "DATASET__NAME": "a"}, "single"),
        ({"TRAINER__NAME": "MVLPT-CoOp", "DATASET__NAME": "a,b"}, "all"),
        ({"TRAINER__NAME": "MVLPT-CoOp", "DATASET__NAME": "a,b", "RUN__GROUP": "g1"}, "grouped"),
        ({"TRAINER__NAME": "MVLPT-CoOp", "DATASET__NAME": "a", "RUN__ARM": "grouped"}, "grouped"),
        ({"TRAINER__NAME": "MVLPT-CoOp", "DATASET__NAME": "a", "RUN__INIT_FROM": "out"}, "adapted"),
        ({"TRAINER__NAME": "CoOp", "DATASET__NAME": "a", "RUN__INIT_FROM": "out", "RUN__MODE": "eval"}, "evaluated"),
    ],
)
def test_arms(options, arm):
    assert arm_of(config(**options)) == arm


@pytest.mark.parametrize(
    ("line", "expected"), [("{", "line 2 is not readable JSON"), ('{"task": 1}', "line 2 lacks run")]
)
def test_spoilt_lines_are_named(tmp_path, line, expected):
    path = tmp_path / "results.jsonl"
    cfg = config(TRAINER__NAME="CoOp", DATASET__NAME="pets", SEED=1)
    write_results(result_rows(cfg, [SCORE], "test", 1), path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RunFolderError, match=expected):
        read_results(path)

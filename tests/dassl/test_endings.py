"""Trainers of plugins whose ``test`` ends the process, or that name a GPU where there is none."""

import json

import pytest
import torch
from support.dassl_repositories import DATASET, trainer_source

EXITS = """
def test(self, is_final=False, split=None):
    import os, sys
    self.set_model_mode("eval")
    self.evaluator.reset()
    for batch in self.test_loader:
        input, label = self.parse_batch_test(batch)
        self.evaluator.process(self.model_inference(input), label)
    results = SCORES
    print("scored")
    sys.stdout.flush()
    sys.stdout.close()
    os._exit(STATUS)
    return list(results.values())[0]
"""


def test_a_test_that_ends_the_process_after_it_has_scored_leaves_results(tmp_path, train, capfd):
    file = tmp_path / "exits.py"
    source = EXITS.replace("SCORES", "self.evaluator.evaluate()").replace("STATUS", "0")
    file.write_text(trainer_source("Exits", source) + DATASET.replace("NAME", "Colours"))
    assert train(file, "Exits", "Colours", OPTIM__MAX_EPOCH=20, OPTIM__NAME="adam") == 0
    words = ("--eval-only", "--model-dir", tmp_path / "run")
    assert train(file, "Exits", "Colours", *words, run="again") == 0
    for run in ("run", "again"):
        (row,) = [json.loads(line) for line in (tmp_path / run / "results.jsonl").read_text().splitlines()]
        assert (row["metric"], row["value"], row["n"]) == ("accuracy", 100.0, 4)
    assert capfd.readouterr().out.count("scored") == 2


@pytest.mark.parametrize(("scores", "status"), [("{}", "0"), ("self.evaluator.evaluate()", "3")])
def test_a_test_that_ends_the_process_without_scores_or_with_an_error_ends_it(scores, status, tmp_path, train):
    file = tmp_path / "exits.py"
    source = EXITS.replace("SCORES", scores).replace("STATUS", status)
    file.write_text(trainer_source("Exits", source) + DATASET.replace("NAME", "Colours"))
    with pytest.raises(SystemExit):
        train(file, "Exits", "Colours", OPTIM__MAX_EPOCH=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_trainer_that_names_a_gpu_trains_on_the_cpu_where_there_is_none(tmp_path, train):
    file = tmp_path / "named.py"
    named = trainer_source("Named").replace(
        "        self.model.to(", '        self.device = torch.device("cuda:0")\n        self.model.to('
    )
    file.write_text(named + DATASET.replace("NAME", "Colours"))
    assert train(file, "Named", "Colours", OPTIM__MAX_EPOCH=1) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["device"] == "cpu"

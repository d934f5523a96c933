"""``evaluation.json``: every run keeps how well each class is recognised, and its surest mistakes."""

import json

import numpy as np
import pytest
import torch
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.data.images import read_image
from mvlpt.engine import read_evaluation, read_results, run_config
from mvlpt.engine.class_results import SUREST, SurestMistakes
from mvlpt.errors import RunFolderError


@pytest.fixture(scope="module")
def folder(toy_tasks, tmp_path_factory):
    path = tmp_path_factory.mktemp("classes") / "run"
    cfg = toy_config(path, DATASET__DATASET="toy-warm,toy-all", OPTIM__MAX_EPOCH=1, TEST__PREDICTIONS=True)
    cfg.freeze()
    run_config(cfg)
    return path


def test_the_counts_are_those_of_the_scores_and_of_the_predictions(folder):
    found = read_evaluation(folder)
    assert list(found) == ["toy-warm", "toy-all"]
    scores = {row["task"]: row["value"] for row in read_results(folder / "results.jsonl")}
    for task, one in found.items():
        assert one.value == scores[task]
        assert 100 * np.trace(one.counts) / one.counts.sum() == pytest.approx(one.value)
        best = np.load(folder / "predictions" / f"{task}.npy").argmax(axis=1)
        assert one.counts.sum(axis=0).tolist() == np.bincount(best, minlength=len(one.classes)).tolist()


def test_the_mistakes_are_images_of_the_class_they_are_said_to_be_of(folder):
    one = read_evaluation(folder)["toy-all"]
    assert one.mistakes
    assert [m.probability for m in one.mistakes] == sorted((m.probability for m in one.mistakes), reverse=True)
    for mistake in one.mistakes:
        assert mistake.true != mistake.predicted
        assert f"@{one.classes[mistake.true]}/" in mistake.image
        assert read_image(mistake.image).size == (48, 48)


def test_the_surest_mistakes_do_not_depend_on_the_order_of_the_batches():
    scores = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    labels, names = torch.arange(100) % 3, [f"{n}.png" for n in range(100)]
    whole, parts = SurestMistakes(), SurestMistakes()
    whole.add(scores, labels, names)
    for chunk in reversed(torch.arange(100).split(7)):
        parts.add(scores[chunk], labels[chunk], [names[n] for n in chunk.tolist()])
    assert whole.surest == parts.surest
    assert len(whole.surest) == SUREST


def test_a_class_without_images_has_no_accuracy(folder):
    one = read_evaluation(folder)["toy-warm"]
    counts = one.counts.copy()
    counts[0] = 0
    assert type(one)("t", "accuracy", 0.0, one.classes, counts).accuracies[0] is None


def test_a_run_without_the_file_has_no_class_results(tmp_path):
    assert read_evaluation(tmp_path) == {}


def test_a_file_that_would_take_all_memory_is_refused(tmp_path):
    task = {"task": "t", "metric": "accuracy", "value": 1.0, "classes": ["a"] * 9000, "counts": [], "mistakes": []}
    head = {"format": "mvlpt-evaluation", "version": 1, "split": "test", "epoch": 1}
    (tmp_path / "evaluation.json").write_text(json.dumps({**head, "tasks": [task]}))
    with pytest.raises(RunFolderError, match="matrices of 81,000,000 numbers"):
        read_evaluation(tmp_path)


@pytest.mark.parametrize("counts", [[[0, 0, -1]], [[0, 9, 1]], [[-1, 0, 1]], [[0, 0]], "x", [[0, 0, 10**30]]])
def test_a_damaged_file_is_refused_in_one_sentence(folder, tmp_path, counts):
    content = json.loads((folder / "evaluation.json").read_text())
    content["tasks"][0]["counts"] = counts
    (tmp_path / "evaluation.json").write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match="damaged"):
        read_evaluation(tmp_path)

"""CoOp's own ``train.py`` in an installed Dassl, and the same trainer here: each reads what the other leaves.

The folder ``MVLPT_PUBLIC_CODE`` holds CoOp, and ``MVLPT_DASSL`` Dassl; tests are skipped where one is not named.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from support.mini_coop import write_split_file
from support.public_code import FOLDER
from support.public_runs import run, write_weights

from mvlpt.engine import read_results
from mvlpt.io import read_tensors

CODE = FOLDER / "CoOp"
DASSL = os.environ.get("MVLPT_DASSL", "")
pytestmark = pytest.mark.skipif(
    not (DASSL and FOLDER.parts and CODE.is_dir()), reason="MVLPT_PUBLIC_CODE and MVLPT_DASSL name no CoOp and no Dassl"
)
UNDER_DASSL = """
import runpy
import sys
from mvlpt.dassl import join_dassl

join_dassl()
sys.path.insert(0, ".")
import clip.clip

weights = sys.argv.pop(1)
clip.clip._download = lambda *_: weights
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""
OPTIONS = ("INPUT.SIZE", "(32,32)", "DATALOADER.NUM_WORKERS", 0, "DATASET.NUM_SHOTS", 2, "TRAINER.COOP.PREC", "fp32")
OPTIONS += ("DATALOADER.TRAIN_X.BATCH_SIZE", 2, "TRAIN.CHECKPOINT_FREQ", 1, "OPTIM.LR", 0.05)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    write_split_file(folder, "OxfordPets")
    write_weights(folder / "ViT-B-16.pt")
    return folder


@pytest.fixture
def words(shared, tmp_path):
    def words(output, epochs, *further):
        line = ["--root", shared, "--seed", 1, "--trainer", "CoOp", "--output-dir", tmp_path / output]
        line += ["--dataset-config-file", "configs/datasets/oxford_pets.yaml"]
        line += ["--config-file", "configs/trainers/CoOp/vit_b16.yaml", *further]
        return [str(word) for word in [*line, *OPTIONS, "OPTIM.MAX_EPOCH", epochs]]

    return words


@pytest.fixture
def there(words, shared):
    """Runs CoOp's ``train.py`` in Dassl; returns what it printed."""

    def there(output, epochs, *further):
        line = [sys.executable, "-c", UNDER_DASSL, str(shared / "ViT-B-16.pt"), *words(output, epochs, *further)]
        paths = os.pathsep.join(filter(None, [DASSL, *sys.path]))
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, cwd=CODE, env={**os.environ, "PYTHONPATH": paths}
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return there


@pytest.fixture
def here(words, shared, tmp_path):
    def here(output, epochs, *further):
        line = ["train", "--plugin", CODE, "--quiet", *words(output, epochs, *further)]
        line += ["MODEL.BACKBONE.PRETRAINED", shared / "ViT-B-16.pt", "RUN.TENSORBOARD", False]
        status, text = run(line, CODE, tmp_path / "output.txt")
        assert status == 0, text[-3000:]
        return read_results(tmp_path / output / "results.jsonl")[-1]["value"]

    return here


def printed_accuracy(text):
    return float(re.findall(r"\* accuracy: ([\d.]+)%", text)[-1])


def test_a_run_under_dassl_is_evaluated_and_continued_here(there, here, tmp_path):
    accuracy = printed_accuracy(there("theirs", 2))
    assert here("evaluated", 2, "--eval-only", "--model-dir", tmp_path / "theirs", "--load-epoch", 2) == pytest.approx(
        accuracy, abs=0.06
    )
    assert here("scored", 2, "--eval-only", "--model-dir", tmp_path / "theirs") == pytest.approx(accuracy, abs=0.06)
    here("continued", 3, "--resume", tmp_path / "theirs")
    assert read_tensors(tmp_path / "continued" / "prompt_learner" / "model.pth.tar-3")["epoch"] == 3
    assert not (tmp_path / "continued" / "prompt_learner" / "model.pth.tar-1").exists()


def test_a_run_of_ours_is_evaluated_and_continued_under_dassl(there, here, tmp_path):
    accuracy = here("ours", 2)
    text = there("evaluated", 2, "--eval-only", "--model-dir", tmp_path / "ours", "--load-epoch", 2)
    assert printed_accuracy(text) == pytest.approx(accuracy, abs=0.06)
    shutil.copytree(tmp_path / "ours" / "prompt_learner", tmp_path / "continued" / "prompt_learner")
    text = there("continued", 3)
    assert "epoch [3/3]" in text
    assert "epoch [2/3]" not in text


@pytest.mark.parametrize("test_only", [False, True])
def test_coops_script_reads_our_logs(test_only, here, tmp_path):
    runs, accuracies = tmp_path / "runs", []
    for seed in (1, 2):
        output = f"runs/seed{seed}"
        if test_only:
            here(f"trained{seed}", 1)
            accuracies.append(here(output, 1, "--eval-only", "--model-dir", tmp_path / f"trained{seed}"))
        else:
            accuracies.append(here(output, 1))
    line = [sys.executable, "parse_test_res.py", str(runs), *(["--test-log"] if test_only else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([DASSL, *filter(None, sys.path)])}
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=CODE, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.findall(r"\* accuracy: ([\d.]+)% \+- ", done.stdout)
    assert float(found[-1]) == pytest.approx(sum(accuracies) / 2, abs=0.06)

"""With Dassl installed: who answers ``import dassl``, our trainers inside it, its trainers here, checkpoints both ways.

The folder that holds ``dassl`` and what it needs is named by ``MVLPT_DASSL``; the tests are skipped without it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.dassl_repositories import DATASET, trainer_source

FOLDER = os.environ.get("MVLPT_DASSL", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="MVLPT_DASSL names no folder with Dassl")


@pytest.fixture
def python(tmp_path):
    def run(source, *words):
        path = os.pathsep.join([FOLDER, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, *([] if source is None else ["-c", source]), *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def test_importing_mvlpt_changes_nothing(python):
    assert "site True" in python(
        "import sys, mvlpt\nassert 'dassl' not in sys.modules\nimport dassl.engine\n"
        f"print('site', dassl.__file__.startswith({FOLDER!r}))"
    )


def test_a_plugin_gets_our_engine_and_an_imported_dassl_stays(python, tmp_path):
    file = tmp_path / "plain.py"
    file.write_text(trainer_source("Plain") + "\nimport dassl\nBASE = TrainerX.__module__\n")
    out = python(
        "import sys, dassl.engine\nfrom mvlpt.dassl import load_plugin\nfrom mvlpt.engine import TRAINER_REGISTRY\n"
        f"load_plugin({str(file)!r})\nprint(TRAINER_REGISTRY.get('Plain').forward_backward.__globals__['BASE'])\n"
        "print(dassl.engine.TrainerX.__module__, 'Plain' in dassl.engine.TRAINER_REGISTRY.registered_names())"
    )
    assert out.split() == ["mvlpt.engine.trainer_x", "dassl.engine.trainer", "False"]


INSIDE = """
import sys
from mvlpt.dassl import extend_cfg, join_dassl

join_dassl()
from dassl.config import get_cfg_default
from dassl.engine import build_trainer
from dassl.utils import set_random_seed

cfg = get_cfg_default()
extend_cfg(cfg)
cfg.merge_from_list(["DATASET.NAME", "weather-plain", "TRAINER.NAME", sys.argv[1], "MODEL.BACKBONE.NAME", sys.argv[2],
    "INPUT.SIZE", "(48, 48)", "OPTIM.MAX_EPOCH", sys.argv[4], "OPTIM.WARMUP_EPOCH", "1", "OPTIM.LR_SCHEDULER", "cosine",
    "DATALOADER.NUM_WORKERS", "0", "DATASET.NUM_SHOTS", "1", "OUTPUT_DIR", sys.argv[3], "SEED", "1"])
cfg.MODEL.BACKBONE.PRETRAINED = sys.argv[2] == "embedded"
set_random_seed(1)
trainer = build_trainer(cfg)
trainer.train()
print(type(trainer).__module__)
"""


@pytest.mark.parametrize("name", ["MVLPT-CoOp", "MVLPT-VPT", "MVLPT-UPT"])
def test_our_trainers_inside_dassl(name, python, tmp_path):
    out = python(INSIDE, name, "embedded", tmp_path / "run", 1)
    assert "=> result" in out
    assert (tmp_path / "run" / "prompt_learner" / "model.pth.tar-1").is_file()


def test_a_trainer_of_dassls_own_inside_it_and_here(python, tmp_path):
    out = python(INSIDE, "Vanilla", "resnet18", tmp_path / "theirs", 2)
    assert "dassl.engine.dg.vanilla" in out
    line = ["-m", "mvlpt.cli", "train", "--trainer", "Vanilla", "--backbone", "resnet18", "--dataset", "weather-plain"]
    line += ["--shots", 1, "--seed", 1, "--quiet"]
    options = ["MODEL.BACKBONE.PRETRAINED", "False", "INPUT.SIZE", "(48,48)", "OPTIM.MAX_EPOCH", 2]
    options += ["OPTIM.WARMUP_EPOCH", 1, "OPTIM.LR_SCHEDULER", "cosine", "DATALOADER.NUM_WORKERS", 0]
    python(None, *line, "--output-dir", tmp_path / "ours", *options)
    assert (tmp_path / "ours" / "results.jsonl").is_file()
    # theirs here, and on from there
    words = ["--eval-only", "--model-dir", tmp_path / "theirs", "--load-epoch", 2]
    python(None, *line, *words, "--output-dir", tmp_path / "read", *options)
    options[options.index("OPTIM.MAX_EPOCH") + 1] = 3
    python(None, *line, "--resume", tmp_path / "theirs", "--output-dir", tmp_path / "on", *options)
    # ours there
    (tmp_path / "ours" / "resume.pth.tar").unlink(missing_ok=True)
    out = python(INSIDE, "Vanilla", "resnet18", tmp_path / "ours", 3)
    assert "will resume training" in out
    assert (tmp_path / "ours" / "model" / "model.pth.tar-3").is_file()


def test_samples_that_are_kept_here_are_read_by_dassl(python, tmp_path):
    file = tmp_path / "plain.py"
    file.write_text(DATASET.replace("NAME", "Colours"))
    data = tmp_path / "data" / "colours"
    for name in ("dark", "light"):
        (data / name).mkdir(parents=True)
        for number in range(8):
            (data / name / f"{number}.png").write_bytes(b"")
    source = (
        "import sys\n{first}\nfrom yacs.config import CfgNode as CN\n"
        f"cfg = CN(dict(SEED=1, DATASET=CN(dict(ROOT={str(tmp_path / 'data')!r}, NUM_SHOTS=2))))\n"
        "items = {build}(cfg)\nprint(type(items.train_x[0]).__module__, [one.impath for one in items.train_x])"
    )
    ours = f"from mvlpt.dassl import load_plugin\nload_plugin({str(file)!r})\nfrom mvlpt.data import DATASET_REGISTRY"
    theirs = f"import random\nrandom.seed(1)\nsys.path.insert(0, {str(tmp_path)!r})\nimport plain"
    kept = data / "shot_2-seed_1.pkl"
    build = "DATASET_REGISTRY.get('Colours')"
    drawn = python(source.format(first=theirs, build="plain.Colours")).splitlines()[-1]
    kept.unlink()
    first = python(source.format(first=ours, build=build)).splitlines()[-1]
    read = python(source.format(first=theirs, build="plain.Colours")).splitlines()[-1]
    back = python(source.format(first=ours, build=build)).splitlines()[-1]
    assert drawn.split()[0] == read.split()[0] == first.split()[0] == "dassl.data.datasets.base_dataset"
    assert len({line.split(maxsplit=1)[1] for line in (drawn, first, read, back)}) == 1


def test_dassl_that_is_not_there(tmp_path):
    code = "from mvlpt.dassl import join_dassl\njoin_dassl()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "mvlpt[dassl]" in done.stderr or not Path(FOLDER).is_dir()

"""CoOp's fifteen data-set files, unmodified: each trains here, and gives what it gives under Dassl.

The folder ``MVLPT_PUBLIC_CODE`` holds CoOp, and ``MVLPT_DASSL`` Dassl; tests are skipped where one is not named.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.dassl_repositories import trainer_source
from support.public_code import FOLDER
from support.public_data import FILES, dump_program, forget, write_data
from support.public_runs import run

from mvlpt.io import read_json

CODE = FOLDER / "CoOp"
DASSL = os.environ.get("MVLPT_DASSL", "")
SEEDS = [1, 2, 3]
pytestmark = pytest.mark.skipif(
    not (FOLDER.parts and CODE.is_dir()), reason="MVLPT_PUBLIC_CODE names no folder with CoOp"
)
with_dassl = pytest.mark.skipif(not DASSL, reason="MVLPT_DASSL names no folder with Dassl")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"), raw=False)


@pytest.mark.parametrize("file", FILES)
def test_a_data_set_trains_here(file, root, tmp_path):
    plugin = tmp_path / "colour.py"
    plugin.write_text(trainer_source("Colour"))
    line = ["train", "--plugin", plugin, "--plugin", CODE / "datasets" / f"{file}.py", "--trainer", "Colour"]
    line += ["--root", root, "--seed", 1, "--shots", 1, "--dataset-config-file", f"configs/datasets/{file}.yaml"]
    line += ["--output-dir", tmp_path / "run", "--quiet", "INPUT.SIZE", "(16,16)", "OPTIM.MAX_EPOCH", 1]
    line += ["DATALOADER.NUM_WORKERS", 0, "RUN.TENSORBOARD", False, "DATALOADER.TRAIN_X.BATCH_SIZE", 2]
    status, text = run(line, CODE, tmp_path / "output.txt")
    assert status == 0, text[-3000:]
    assert json.loads((tmp_path / "run" / "results.jsonl").read_text())["task"] == FILES[file]


def dump(root, target, seeds, *, ours):
    paths = filter(None, [DASSL, os.environ.get("PYTHONPATH"), *(path for path in sys.path if ours)])
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            dump_program(CODE, ours=ours),
            root,
            target,
            ",".join(FILES.values()),
            json.dumps(seeds),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return read_json(target)


@with_dassl
@pytest.mark.parametrize("raw", [False, True], ids=["split files", "raw"])
def test_images_samples_and_classes_are_those_under_dassl(raw, tmp_path):
    root = write_data(tmp_path / "data", raw=raw)
    seeds = SEEDS[:1] if raw else SEEDS  # the first run of raw data makes the split, with its seed
    theirs = dump(root, tmp_path / "theirs.json", seeds, ours=False)
    read_here = dump(root, tmp_path / "read_here.json", seeds, ours=True)
    forget(root, raw=raw)
    ours = dump(root, tmp_path / "ours.json", seeds, ours=True)
    read_there = dump(root, tmp_path / "read_there.json", seeds, ours=False)
    assert len(theirs) == 12 * len(FILES) * len(seeds)
    for name, rows in theirs.items():
        assert ours[name] == rows, name
        for again in (read_here, read_there):  # what was kept; the further call then begins a stream
            assert [again[name][part] for part in (0, 1, 2, 4)] == [rows[part] for part in (0, 1, 2, 4)], name

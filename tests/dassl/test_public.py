"""The public trainers themselves, by every literal route: train, evaluate, stop, go on bit for bit.

Copies of the repositories lie in the folder ``MVLPT_PUBLIC_CODE``; without it, or without one of them, tests are
skipped. They take minutes each: random weights of ViT-B/16's shape stand in for CLIP's.
"""

import signal
import subprocess
import sys
import time

import pytest
import torch
from support.mini_coop import write_split_file
from support.public_code import FOLDER, PUBLIC, SIZE, Public

from mvlpt.io import read_json, read_tensors, write_json

pytestmark = pytest.mark.skipif(not FOLDER.parts, reason="MVLPT_PUBLIC_CODE names no folder with public repositories")
PETS = {"alpine_hut": "abyssinian", "beach": "beagle", "canyon": "birman"}  # some trainers know the real classes only


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    path = write_split_file(root, "OxfordPets") / "split_zhou_OxfordPets.json"
    splits = read_json(path)
    write_json({split: [[a, b, PETS[c]] for a, b, c in rows] for split, rows in splits.items()}, path)
    return root


def command(public: Public, route: str, data, run, *words):
    line = [sys.executable, "-m", "mvlpt.cli", "train", "--plugin", public.plugins[route], "--trainer", public.trainer]
    line += ["--root", data, "--seed", 1, "--dataset-config-file", "configs/datasets/oxford_pets.yaml"]
    line += ["--output-dir", run, "--backbone", "random", "--quiet", *words]
    line += ["--config-file", f"configs/trainers/{public.config}"] if public.config else []
    line += ["--eval-only"] if not public.trains else []
    line += [*SIZE, *public.options, "DATASET.NUM_SHOTS", 1, "OPTIM.MAX_EPOCH", 3]
    return [str(word) for word in line]


def name(public: Public) -> str:
    return f"{public.repository}-{public.trainer}"


@pytest.mark.parametrize("route", ["file", "folder", "train.py"])
@pytest.mark.parametrize("public", PUBLIC, ids=name)
def test_a_literal_route(public, route, data, tmp_path):
    if not public.root.is_dir():
        pytest.skip(f"no {public.repository}")
    done = subprocess.run(
        command(public, route, data, tmp_path / "run"), capture_output=True, text=True, check=False, cwd=public.root
    )
    if public.obstacle:
        assert done.returncode, f"{public.obstacle} stands in the way no more; say so in the table"
        return
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run" / "results.jsonl").is_file()
    if public.trains and route == "file":
        words = ("--eval-only", "--model-dir", tmp_path / "run")
        line = command(public, route, data, tmp_path / "evaluated", *words)
        assert subprocess.run(line, check=False, cwd=public.root).returncode == 0


@pytest.mark.parametrize("public", [p for p in PUBLIC if p.trains and not p.obstacle], ids=name)
def test_a_public_trainer_that_is_stopped_goes_on_bit_for_bit(public, data, tmp_path):
    if not public.root.is_dir():
        pytest.skip(f"no {public.repository}")
    assert (
        subprocess.run(command(public, "file", data, tmp_path / "whole"), check=False, cwd=public.root).returncode == 0
    )
    process = subprocess.Popen(command(public, "file", data, tmp_path / "stopped"), cwd=public.root)
    log = tmp_path / "stopped" / "log.txt"
    while process.poll() is None and not (log.is_file() and "epoch [1/3]" in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    line = command(public, "file", data, tmp_path / "stopped", "--resume")
    assert subprocess.run(line, check=False, cwd=public.root).returncode == 0
    for path in (tmp_path / "whole").glob("*/model.pth.tar-3"):
        whole = read_tensors(path)["state_dict"]
        resumed = read_tensors(tmp_path / "stopped" / path.parent.name / path.name)["state_dict"]
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)

"""The public trainers themselves, by every literal route: train, evaluate, stop, go on bit for bit.

Copies of the repositories lie in the folder ``MVLPT_PUBLIC_CODE``; without it, or without one of them, tests are
skipped. Random weights of CLIP's width, two blocks deep, stand in for CLIP's.
"""

from __future__ import annotations

import functools
import re

import pytest
import torch
from support.mini_coop import write_split_file
from support.public_code import FOLDER, PUBLIC, SIZE, Public
from support.public_files import FILES
from support.public_runs import run, write_weights

from mvlpt.io import read_json, read_tensors, write_json

pytestmark = pytest.mark.skipif(not FOLDER.parts, reason="MVLPT_PUBLIC_CODE names no folder with public repositories")
PETS = {"alpine_hut": "abyssinian", "beach": "beagle", "canyon": "birman"}  # some trainers know the real classes only
STOP_AFTER = 5  # steps: in the second or third of three epochs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    path = write_split_file(root, "OxfordPets") / "split_zhou_OxfordPets.json"
    splits = read_json(path)
    write_json({split: [[a, b, PETS[c]] for a, b, c in rows] for split, rows in splits.items()}, path)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return functools.cache(lambda kind: write_weights(folder / f"{kind}.pt", kind))


def name(public: Public) -> str:
    return f"{public.repository.rpartition('/')[2]}-{public.trainer}"


@pytest.fixture
def call(data, weights, tmp_path):
    def call(public: Public, route: str, output, *words, stop_after: int = 0) -> tuple[int, str]:
        line = ["train", "--plugin", public.plugins[route], "--trainer", public.trainer, "--root", data, "--seed", 1]
        line += ["--dataset-config-file", "configs/datasets/oxford_pets.yaml", "--output-dir", tmp_path / output]
        line += ["--quiet", *words, *public.flags]
        line += ["--config-file", f"configs/trainers/{public.config}"] if public.config else []
        line += ["--eval-only"] if not public.trains and "--eval-only" not in words else []
        line += ["MODEL.BACKBONE.PRETRAINED", weights(public.weights), *SIZE, *public.options]
        folder = public.root
        if public.files:
            folder = tmp_path / "files"
            if not folder.is_dir():
                FILES[public.files](folder, public.root)
        return run(line, folder, tmp_path / f"{output}.txt", stop_after=stop_after)

    return call


@pytest.mark.parametrize("route", ["file", "folder", "train.py"])
@pytest.mark.parametrize("public", PUBLIC, ids=name)
def test_a_literal_route(public, route, call, tmp_path):
    if not public.root.is_dir():
        pytest.skip(f"no {public.repository}")
    status, text = call(public, route, "whole")
    if public.obstacle:
        assert status, f"{public.obstacle} stands in the way no more; say so in the table"
        assert re.search(public.evidence, text)
        return
    if route == "folder" and public.main != "train.py":  # which the folder stands for, and does not import the trainer
        assert status == 2
        assert "unknown key TRAINER.COOP.ATT1_TEXT" in text
        return
    assert status == 0, text[-3000:]
    assert (tmp_path / "whole" / "results.jsonl").is_file()
    if not public.trains:
        return
    status, text = call(public, route, "scored", "--eval-only", "--model-dir", tmp_path / "whole")
    assert status == 0, text[-3000:]
    rows = [(tmp_path / one / "results.jsonl").read_text() for one in ("whole", "scored")]
    assert '"value"' in rows[1]
    status, text = call(public, route, "stopped", stop_after=STOP_AFTER)
    assert status == 130, text[-3000:]
    status, text = call(public, route, "stopped", "--resume")
    assert status == 0, text[-3000:]
    compared = 0
    for path in (tmp_path / "whole").glob("*/model.pth.tar-3"):
        whole = read_tensors(path)["state_dict"]
        resumed = read_tensors(tmp_path / "stopped" / path.parent.name / path.name)["state_dict"]
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []
        compared += len(whole)
    assert compared

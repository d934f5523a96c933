"""The benchmark runs, on a tiny architecture."""

import argparse
import json
from pathlib import Path

import open_clip
import pytest
import torch
from support.tiny_clip import TEXT, VISION

from benchmarks import step_time
from benchmarks.measuring import resident_peak

ROWS = {
    "coop",
    "coop_cached",
    "coop_middle",
    "coop_cached_middle",
    "vpt",
    "upt",
    "upt_middle",
    "eval_first",
    "eval_later",
}


@pytest.fixture
def tiny_architecture(tmp_path):
    config = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": {**TEXT, "width": 64}}
    (tmp_path / "MVLPT-bench.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    yield "MVLPT-bench"
    open_clip.factory._MODEL_CONFIG_PATHS.remove(tmp_path)
    open_clip.factory._rescan_model_configs()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_row_is_measured(tiny_architecture, precision, capsys):
    setup = step_time.Setup(tiny_architecture, torch.device("cpu"), precision, 2, 1, 4, 2)
    args = argparse.Namespace(rows=",".join(sorted(ROWS)), quick=True)
    lines, result = step_time.run(setup, [5], args)
    assert set(result["ratios"]) == {f"{row}/5" for row in ROWS}
    assert all(ratio > 0 for ratio in result["ratios"].values())
    assert capsys.readouterr().out.splitlines() == lines


def test_memory_is_measured(tiny_architecture):
    setup = step_time.Setup(tiny_architecture, torch.device("cpu"), "fp32", 2, 1, 4, 2)
    for side in ("ours", "reference"):  # so small that memory this process holds free may do
        assert 0 <= step_time.measure_memory(setup, side, 30) < 2**30


def test_the_peak_is_the_highest_since_it_was_reset():
    def growth(size):
        Path("/proc/self/clear_refs").write_text("5")
        before = resident_peak()
        bytes(bytearray(b"x") * size)  # given back at once
        return resident_peak() - before

    assert growth(300 * 2**20) >= 280 * 2**20  # the kernel counts pages in batches, so it may lag by a few
    assert growth(2**10) < 100 * 2**20

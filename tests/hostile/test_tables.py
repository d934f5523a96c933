"""Predictions of runs and submissions, pages and lists of runs, whose files are absurd."""

import json
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest
from support.attacks import Attack, check
from support.hostile_pickles import with_member, zeros_deflated
from support.hostile_texts import CLEAR, DEEP_JSON, DIGITS, TITLE

pytestmark = pytest.mark.hostile

HEAD = {
    "model_name": "m", "dataset_name": "dtd", "num_trainable_params": 1, "num_params": 1, "num_visual_params": 1,
    "num_backbone_params": 1, "n_shot": 5, "rnd_seeds": [0],
}  # fmt: skip
PROBLEM = (1, 2)


def submission(content, suffix="json"):
    def make(folder):
        (folder / f"s.{suffix}").write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["submission", "validate", f"s.{suffix}"]

    return make


def fields(predictions="[[[0.5]]]", **changes):
    head = json.dumps({**HEAD, **changes})[:-1]
    return submission(f'{head}, "predictions": {predictions}}}')


def zipped(change, name="all_predictions.json"):
    def make(folder):
        with zipfile.ZipFile(folder / "s.zip", "w") as archive:
            if name:
                archive.writestr(name, "{}")
        change(folder / "s.zip")
        return ["submission", "validate", "s.zip"]

    return make


SUBMISSIONS = {
    "params_huge": fields(num_params=10**400),
    "params_negative": fields(num_params=-1),
    "params_infinite": fields(num_trainable_params=float("inf")),
    "shots_text": fields(n_shot="5"),
    "seeds_huge": fields(rnd_seeds=[10**30]),
    "seeds_many": fields(rnd_seeds=list(range(100_000))),
    "seeds_deep": fields(rnd_seeds=[[[[0]]]]),
    "name_controls": fields(dataset_name=TITLE + CLEAR),
    "name_markup": fields(dataset_name="[/b]"),
    "name_outside": fields(dataset_name="../../x"),
    "model_long": fields(model_name="x" * 1_000_000),
    "field_controls": submission(json.dumps({CLEAR: 1})),
    "fields_many": submission("{" + ",".join(f'"{i}":1' for i in range(100_000)) + "}"),
    "rows_infinite": fields("[[[1e999]]]"),
    "rows_letters": fields("[[[eee]]]"),
    "rows_empty": fields("[[" + "[]," * 300_000 + "[]]]"),
    "tables_empty": fields("[" + "[]," * 300_000 + "[]]"),
    "tables_many": submission("[" * 100_000),
    "row_without_end": fields("[[[" + "0.1," * 2_000_000),
    "deep": submission(DEEP_JSON),
    "digits": submission(DIGITS),
    "spaces": submission(" " * 30_000_000),
    "string_without_end": submission('{"' + "x" * 10_000_000),
    "entries_many": submission('{"data": [' + "{}," * 50_000 + "{}]}"),
    "zip_bomb": zipped(lambda path: with_member(path, "all_predictions.json", zeros_deflated(2**31), 2**31), ""),
    "zip_lies": zipped(lambda path: with_member(path, "all_predictions.json", zeros_deflated(2**28), 99), ""),
    "zip_names": zipped(lambda path: zipfile.ZipFile(path, "a").writestr(TITLE + CLEAR, "x")),
    "zip_other": zipped(lambda path: None, "../all_predictions.json"),
    "zip_pipe": zipped(lambda path: (path.unlink(), os.mkfifo(path))),
}  # fmt: skip


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_submissions(name, attack_server, tmp_path):
    check(attack_server, Attack(name, SUBMISSIONS[name], "", PROBLEM), tmp_path)


def array(header, data=b""):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


INDEX = {
    "format": 1, "trainer": "t", "backbone": "b", "shots": 5, "seed": 0, "sampling": {"rule": "elevater"},
    "parameters": {"trainable": 1, "all": 1, "visual": 1, "backbone": 1},
    "tasks": [{"name": "dtd", "file": "dtd.npy", "missing": 0, "source": ""}],
}  # fmt: skip
FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
RECORDS = {
    "seed_outside": ({"seed": "../../../pwned"}, None),
    "seed_list": ({"seed": [1]}, None),
    "shots_huge": ({"shots": 10**400}, None),
    "trainer_number": ({"trainer": 1}, None),
    "tasks_text": ({"tasks": "dtd"}, None),
    "tasks_numbers": ({"tasks": [1]}, None),
    "file_outside": ({"tasks": [{"name": "dtd", "file": "../../../etc/passwd", "missing": 0}]}, None),
    "file_device": ({"tasks": [{"name": "dtd", "file": "..", "missing": 0}]}, None),
    "missing_text": ({"tasks": [{"name": "dtd", "file": "dtd.npy", "missing": "x"}]}, None),
    "parameters_text": ({"parameters": "x"}, None),
    "sampling_deep": ({"sampling": {"rule": [[[1]]]}}, None),
    "shape_huge": ({}, array(FLOATS % "(10**9, 10**9)")),
    "shape_large": ({}, array(FLOATS % "(1000000000, 1000000000)")),
    "shape_negative": ({}, array(FLOATS % "(-1, 5)")),
    "shape_flags": ({}, array(FLOATS % "(True, True)", bytes(4))),
    "objects": ({}, array("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", b"cos\nsystem\n")),
    "structure": ({}, array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }", bytes(4))),
    "strings": ({}, array("{'descr': '<U9999999', 'fortran_order': False, 'shape': (1, 1), }")),
    "calls": ({}, array("__import__('os').system('touch pwned')")),
    "nested": ({}, array("(" * 110)),
    "pickle": ({}, b"\x80\x02cos\nsystem\n(S'touch pwned'\ntR."),
    "empty": ({}, b""),
}


@pytest.mark.parametrize("name", RECORDS)
def test_recorded_predictions(name, attack_server, tmp_path):
    changes, content = RECORDS[name]

    def make(folder):
        root = folder / "run" / "predictions"
        root.mkdir(parents=True)
        (root / "index.json").write_text(json.dumps({**INDEX, **changes}))
        if content is None:
            np.save(root / "dtd.npy", np.full((1880, 47), 1 / 47, dtype=np.float32))
        else:
            (root / "dtd.npy").write_bytes(content)
        return ["submission", "write", "run", "--out", "out"]

    written = name in ("sampling_deep",)
    check(attack_server, Attack(name, make, "", (0, 2) if written else 2), tmp_path)


SPOILED = {
    "run_json_deep": lambda run: (run / "run.json").write_text(DEEP_JSON),
    "run_json_list": lambda run: (run / "run.json").write_text("[1]"),
    "run_json_texts": lambda run: (run / "run.json").write_text(json.dumps(
        {**json.loads((run / "run.json").read_text()), "state": TITLE + CLEAR, "versions": CLEAR, "started": 10**400,
         "seconds": "x", "device": ["[/b]"], "command": [1, {"a": CLEAR}]})),
    "evaluation_deep": lambda run: (run / "evaluation.json").write_text(DEEP_JSON),
    "evaluation_list": lambda run: (run / "evaluation.json").write_text('{"format": 1, "tasks": 1}'),
    "metrics_noise": lambda run: (run / "metrics.csv").write_text('"' + "x" * 200_000 + CLEAR),
    "metrics_nul": lambda run: (run / "metrics.csv").write_text("a,b\0\n\0"),
    "config_deep": lambda run: (run / "config.yaml").write_text("[" * 5000),
    "results_html": lambda run: (run / "results.jsonl").write_text(
        (run / "results.jsonl").read_text().replace("weather-plain", "<script>alert(1)</script>")),
    "results_pipe": lambda run: ((run / "results.jsonl").unlink(), os.mkfifo(run / "results.jsonl")),
    "run_linked_out": lambda run: os.symlink("/", run / "all"),
    "run_linked_back": lambda run: [os.symlink(".", run / f"loop{number}") for number in range(3)],
    "prompt_noise": lambda run: (run / "prompt.safetensors").write_bytes(bytes(range(256))),
}  # fmt: skip
COMMANDS = {
    "report": ["report", "r", "--out", "out.html"],
    "runs": ["runs", "r"],
    "clean": ["clean", "r"],
    "compare": ["compare", "r/run", "r/other"],
    "results": ["results", "r"],
    "predict": ["predict", "r/run", "i"],
}


CASES = [
    *(("report", name) for name in SPOILED),
    *(("runs", name) for name in SPOILED if name.startswith(("run_", "config", "results"))),
    *(("clean", name) for name in SPOILED if name.startswith("run_")),
    *(("compare", name) for name in SPOILED if name.startswith(("run_json", "config"))),
    *(("predict", name) for name in SPOILED if name.startswith(("config", "prompt"))),
    *(("results", name) for name in SPOILED if name.startswith("results")),
]


@pytest.mark.parametrize(("command", "name"), CASES)
def test_pages_and_lists_of_runs(name, command, attack_server, finished_run, tmp_path):
    def make(folder):
        for run in ("run", "other"):
            shutil.copytree(finished_run, folder / "r" / run, ignore=shutil.ignore_patterns("tensorboard"))
        (folder / "i").mkdir()
        SPOILED[name](folder / "r/run")
        return COMMANDS[command]

    check(attack_server, Attack(name, make, "", (0, 1, 2)), tmp_path)
    if (tmp_path / "out.html").exists():
        assert "<script>alert" not in (tmp_path / "out.html").read_text()

"""Names of tasks and classes that are no names: control characters, markup, formulas, mathematics, endless ones."""

import json
import re

import pytest
from support.attacks import Attack, check
from support.hostile_data import folder_task
from support.hostile_texts import CLEAR, TITLE

pytestmark = pytest.mark.hostile

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NAMES = {
    "controls": TITLE + CLEAR,
    "reversed": "birds\u202e2v\u2066",
    "markup": "[/b][red]birds[link=http://x]",
    "mathematics": "$\\frac{1}$ \\bad_{",
    "html": "<script>alert(1)</script>&amp;\"'",
    "formula": "=HYPERLINK(1)",
    "format": "{0.__class__} %s %(a)s {}",
    "emoji": "🐦\u200d" * 40,
    "surrogate": "\udcff",
    "long": "x" * 5000,
    "many_bytes": "鳥" * 250,
    "dots": "... ",
}
SHORT = ("--shots", "1", "--seed", "1", "--quiet", "OPTIM.MAX_EPOCH", "1")


def tasks_of(folder, name):
    """Two task files: one whose name, and one whose class, is the name."""
    folder_task(folder / "t")
    quoted = json.dumps(name)
    (folder / "a.yaml").write_text(f"name: {quoted}\nimages: t\n")
    (folder / "b.yaml").write_text(f"images: t\nclasses: {{a: {quoted}, b: other}}\n")
    return folder


def train(name, *words):
    def make(folder):
        tasks_of(folder, name)
        config = "configs/trainers/MVLPT-CoOp/embedded.yaml"
        return ["train", "--config-file", config, "--dataset", "a.yaml,b.yaml", *SHORT[:5], "--output-dir", "out",
                *SHORT[5:], "TEST.COMPUTE_CMAT", "True", "TEST.PREDICTIONS", "True"]  # fmt: skip

    return make


def after(words):
    def make(name):
        return lambda folder: (tasks_of(folder, name), words)[1]

    return make


COMMANDS = {
    "train": train,
    "check_task": after(["tasks", "check", "a.yaml"]),
    "check_class": after(["tasks", "check", "b.yaml"]),
    "show_task": after(["tasks", "show", "a.yaml", "--out", "out.png"]),
    "show_class": after(["tasks", "show", "b.yaml", "--out", "out.png"]),
    "group": after(["group", "--tasks", "a.yaml,b.yaml", "--out", "out", "--no-pictures"]),
    "features": after(["features", "--config-file", "configs/trainers/ZeroshotCLIP/embedded.yaml", "--dataset",
                       "a.yaml,b.yaml", "--shots", "1", "--output-dir", "out"]),
}  # fmt: skip
CASES = {  # each name meets the commands that use it in another way
    "train": ("controls", "mathematics", "formula", "surrogate", "many_bytes"),
    "check_task": ("controls", "markup", "format", "long"),
    "check_class": ("controls", "html"),
    "show_task": ("controls", "many_bytes"),
    "show_class": ("reversed", "emoji", "surrogate", "long"),
    "group": ("controls", "mathematics", "dots"),
    "features": ("controls", "many_bytes"),
}


@pytest.mark.parametrize(("command", "name"), [(command, name) for command, names in CASES.items() for name in names])
def test_names(command, name, attack_server, tmp_path):
    check(attack_server, Attack(name, COMMANDS[command](NAMES[name]), "", (0, 1, 2)), tmp_path)
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".csv", ".md", ".txt", ".yaml", ".json", ".jsonl", ".graphml") and path.is_file():
            text = path.read_text()
            assert not CONTROLS.search(text), path
            if path.suffix == ".csv":
                assert not re.search(r"(^|,)\"?=", text, re.MULTILINE), path

"""Each example of CONTRIBUTING.md works as a plugin, and takes as many lines as the page says."""

import csv
import re

import pytest
from PIL import Image
from support.imports import ROOT
from support.plans import shell_job
from support.registries import restored_registries

from mvlpt.cli import main
from mvlpt.graph import TaskGraph
from mvlpt.models import load_prompt
from mvlpt.schedule import Plan, save_plan

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
QUICK = ["--shots", "1", "--seed", "1", "--quiet", "OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]
CONFIG = "configs/trainers/MVLPT-CoOp/embedded.yaml"


@pytest.fixture(autouse=True)
def nothing_stays():
    with restored_registries():
        yield


@pytest.fixture
def plugin(tmp_path):
    def write(name):
        (tmp_path / name).write_text(BLOCKS[name])
        return str(tmp_path / name)

    return write


def test_a_prompt_method(plugin, toy_tasks, tmp_path):
    words = ["train", "--plugin", plugin("short.py"), "--trainer", "MVLPT-Short", "--config-file", CONFIG]
    folder = tmp_path / "run"
    assert main([*words, "--dataset", "toy-warm,toy-cold", "--output-dir", str(folder), *QUICK]) == 0
    prompt = load_prompt(folder / "prompt.safetensors")
    assert (prompt.method, len(prompt.tensors["ctx"])) == ("short", 2)


def test_a_similarity(plugin, toy_tasks, tmp_path):
    words = ["group", "--plugin", plugin("count.py"), "--config-file", CONFIG, "--tasks", "toy-warm,toy-all"]
    words += ["--similarity", "visual=0.5,label.count=0.5", "--shots", "1", "--seed", "1", "--no-pictures", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    graph = TaskGraph.load(tmp_path / "out" / "task_graph.json")
    classes = [graph.attributes[task]["classes"] for task in graph.tasks]
    assert graph.matrix("label.count")[0, 1] == pytest.approx(min(classes) / max(classes))


def test_an_executor(plugin, tmp_path):
    save_plan(Plan([shell_job("a", "echo done > a.txt", outputs=("a.txt",))]), tmp_path / "plan" / "plan.json")
    words = ["schedule", "run", str(tmp_path / "plan"), "--plugin", plugin("one_by_one.py")]
    assert main([*words, "--trust", "--executor", "one-by-one"]) == 0
    assert (tmp_path / "plan" / "a.txt").read_text() == "done\n"


def test_a_data_set(plugin, tmp_path):
    root = tmp_path / "data" / "leaves"
    root.mkdir(parents=True)
    colours = {"oak": (90, 60, 20), "maple": (200, 60, 20)}
    with open(root / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "species", "split"])
        for species, colour in colours.items():
            for number, split in enumerate(("train", "train", "test")):
                Image.new("RGB", (50, 50), colour).save(root / f"{species}{number}.png")
                rows.writerow([f"{species}{number}.png", species, split])
    words = ["train", "--plugin", plugin("leaves.py"), "--root", str(root.parent), "--dataset", "Leaves"]
    folder = tmp_path / "run"
    assert main([*words, "--config-file", CONFIG, "--output-dir", str(folder), *QUICK]) == 0
    assert '"n": 2' in (folder / "results.jsonl").read_text()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("short.py", "a prompt method and its trainer"),
        ("count.py", "a similarity of tasks"),
        ("one_by_one.py", "an executor"),
        ("leaves.py", "a data set"),
    ],
)
def test_the_table_counts_the_lines(name, row):
    lines = [line for line in BLOCKS[name].splitlines() if line.strip()]
    counted = re.search(rf"\| {row} \|[^|]*\| (\d+) \|", PAGE)
    assert int(counted.group(1)) == len(lines)

"""YAML and JSON that are deep, that multiply, that name Python's types, or that hold absurd values."""

import json
import os

import pytest
from support.attacks import Attack, check
from support.hostile_texts import CLEAR, JSON, LAUGHS, TITLE, YAML

pytestmark = pytest.mark.hostile


def written(name, content, *words):
    """One file; ``{}`` among the words of the command is its path."""

    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return [path if word == "{}" else word for word in words]

    return make


def config(content):
    words = ["--dataset", "weather-plain", "--trainer", "MVLPT-CoOp", "--no-train", "--output-dir", "out"]
    return written("x.yaml", content, "train", "--config-file", "{}", *words)


def task(content):
    return written("x.yaml", content, "tasks", "check", "{}")


def experiment(content):
    return written("x.yaml", content, "experiment", "--config-file", "{}", "--output-dir", "out", "--dry-run")


READERS = [
    *(Attack(f"yaml_{name}", written("x.yaml", content, "@yaml_file", "{}"), "x.yaml")
      for name, content in YAML.items()),
    *(Attack(f"json_{name}", written("x.json", content, "@json_file", "{}"), "x.json")
      for name, content in JSON.items()),
]  # fmt: skip

CONFIGS = [
    *(Attack(f"config_{name}", config(YAML[name]), "x.yaml")
      for name in ("laughs", "deep", "twice", "date", "python_tag", "int_tag", "long_key")),
    Attack("config_seconds_infinite", config("TEST:\n  BATCH: .inf\n"), "x.yaml"),
    Attack("config_number", config(f"OPTIM:\n  LR: {10**400}\n"), "LR"),
    Attack("config_float", config("OPTIM:\n  LR: 1.0e+999\n"), "LR"),
    Attack("config_epochs", config(f"OPTIM:\n  MAX_EPOCH: {10**400}\n"), "MAX_EPOCH"),
    Attack("config_key", config(f'"{"x" * 10_000}": 1\n'), "x.yaml"),
    Attack("config_controls", config('"\\e]0;x\\a\\e[2J": 1\n'), "x.yaml"),
    Attack("config_markup", config('"[/b][red]": 1\n'), "x.yaml"),
    Attack("base_dev_zero", config("_BASE_: /dev/zero\n"), "/dev/zero"),
    Attack("base_folder", config("_BASE_: /\n"), "not a regular file"),
    Attack("base_long", config(f"_BASE_: {'x' * 5000}\n"), "cannot be read"),
    Attack("base_nul", config('_BASE_: "a\\0b"\n'), "a\\x00b"),
    Attack("base_list", config("_BASE_: [a, b]\n"), "x.yaml"),
    Attack("base_itself", config("_BASE_: x.yaml\n"), "x.yaml"),
]  # fmt: skip

TASKS = [
    *(Attack(f"task_{name}", task(YAML[name]), "x.yaml")
      for name in ("laughs", "laughs_in_maps", "deep", "twice", "digits", "date", "int_tag", "python_name")),
    *(Attack(f"task_laughs_in_{key}", task(f"images: .\n{LAUGHS.replace('i: &i', f'{key}: &i')}"), "x.yaml")
      for key in ("name", "metric", "manifest", "classes", "templates")),
    Attack("task_alias_small", task("x: &x [a, a, a, a, a, a, a, a, a]\nname: [*x, *x, *x]\nimages: .\n"), "x.yaml"),
    Attack("task_name_controls", task('name: "a\\e]0;x\\ab"\nimages: none\n'), "x.yaml"),
    Attack("task_name_long", task(f"name: {'n' * 10_000}\nimages: none\n"), ""),
    Attack("task_name_list", task(f"name: [{'a, ' * 20_000}]\nimages: .\n"), "x.yaml"),
    Attack("task_share", task("images: .\nval_share: .nan\n"), "val_share"),
    Attack("task_share_digits", task(f"images: .\nval_share: {10**400}\n"), "val_share"),
    Attack("task_images_nul", task('images: "a\\0b"\n'), "x.yaml"),
    Attack("task_images_dev", task("manifest: /dev/zero\nimages: .\n"), "/dev/zero"),
    Attack("task_classes_dev", task("images: .\nclasses: /dev/zero\n"), "/dev/zero"),
    Attack("task_home", task("images: ~nobody_such/x\n"), ""),
]  # fmt: skip

ONE = "tasks: [weather-plain]\ntrainers: [configs/trainers/MVLPT-CoOp/embedded.yaml]\narms: [single]\n"
EXPERIMENTS = [
    *(Attack(f"experiment_{name}", experiment(YAML[name]), "x.yaml") for name in ("laughs", "deep", "twice", "date")),
    Attack("experiment_limit", experiment(
        f"{ONE}executor: {{time_limit: 1.0e+999}}\n"), "time_limit"),
    Attack("experiment_seeds", experiment(
        f"{ONE}seeds: [{10**400}]\n"), "SEED"),
    Attack("experiment_task", experiment(
        f'tasks: ["{"x" * 9000}"]\ntrainers: [MVLPT-CoOp]\narms: [single]\n'), ""),
    Attack("experiment_controls", experiment('tasks: ["\\e[2J"]\ntrainers: [MVLPT-CoOp]\narms: [single]\n'), ""),
]  # fmt: skip


def graph(content):
    return written("task_graph.json", content, "group", "--graph", "{}", "--out", "out", "--no-pictures")


def results(content, *words):
    return written("r/results.jsonl", content, "results", "r/results.jsonl", *words)


ROW = {
    "run": "r", "trainer": "MVLPT-CoOp", "arm": "single", "group": "", "task": "birds", "split": "test",
    "metric": "accuracy", "value": 50.0, "higher_is_better": True, "shots": 1, "seed": 1, "epoch": 1, "n": 10,
}  # fmt: skip


def row(**changes):
    return json.dumps({**ROW, **changes}) + "\n"


RESULTS = [
    *(Attack(f"results_{name}", results(JSON[name]), "results.jsonl")
      for name in ("deep", "digits", "nul", "not_utf8")),
    Attack("results_value_infinite", results(row(value=float("inf"))), "results.jsonl"),
    Attack("results_value_digits", results(row().replace("50.0", "1" + "0" * 400)), "results.jsonl"),
    Attack("results_value_1e999", results(row().replace("50.0", "1e999")), "results.jsonl"),
    Attack("results_seed_digits", results(row(seed=10**400)), status=(0, 2)),
    Attack("results_task_list", results(row(task=[])), "results.jsonl"),
    Attack("results_controls", results(row(task=TITLE + CLEAR)), "\\x1b", status=0),
    Attack("results_markup", results(row(task="birds [v2][/b]")), "birds [v2][/b]", status=0),
    Attack("results_long", results(row(task="x" * 10_000)), status=(0, 2)),
    Attack("results_markdown", results(row(task=CLEAR + "<script>"), "--format", "markdown"), "\\<script>", status=0),
    Attack("results_latex", results(row(task=CLEAR + "\\input{/etc/passwd}"), "--format", "latex"),
           "textbackslash", status=0),
    Attack("results_csv", results(row(task="=HYPERLINK(1)") + row(task="@x") + row(task="+1") + row(task="-1+2"),
                                  "--format", "csv"), "'=HYPERLINK(1)", status=0),
    Attack("groups_laughs", lambda folder: [
        *results(row())(folder), "--groups", written("g.yaml", LAUGHS, "{}")(folder)[0]], "g.yaml"),
    Attack("groups_deep", lambda folder: [
        *results(row())(folder), "--groups", written("g.yaml", "[" * 9000, "{}")(folder)[0]], "g.yaml"),
]  # fmt: skip

GRAPHS = [
    *(Attack(f"graph_{name}", graph(JSON[name]), "task_graph.json") for name in ("deep", "digits", "controls", "cut")),
    Attack("graph_version", graph(json.dumps({"format": "mvlpt-task-graph", "version": TITLE + CLEAR})),
           "task_graph.json"),
    Attack("graph_format", graph(json.dumps({"format": CLEAR * 3000})), "task_graph.json"),
    Attack("graph_names", graph(json.dumps({
        "format": "mvlpt-task-graph", "version": 1, "directed": False, "multigraph": False, "graph": {},
        "nodes": [{"id": CLEAR}, {"id": TITLE}], "edges": [], "links": []})), "task_graph.json"),
    Attack("scores_csv", lambda folder: [
        *graph("{}")(folder)[:1], "--tasks", "weather-plain,tools-plain", "--measured",
        written("s.csv", CLEAR + "," + "x" * 200_000, "{}")(folder)[0], "--out", "out"], "s.csv"),
]  # fmt: skip

ALL = [*READERS, *CONFIGS, *TASKS, *EXPERIMENTS, *RESULTS, *GRAPHS]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_texts(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)


@pytest.mark.parametrize("command", ["config", "task", "graph", "results"])
def test_pipes_and_devices_in_place_of_files(command, attack_server, tmp_path):
    words = {
        "config": config(""), "task": task(""), "graph": graph(""), "results": results(row()),
    }[command](tmp_path)  # fmt: skip
    path = next(path for path in tmp_path.rglob("*") if path.is_file())
    path.unlink()
    os.mkfifo(path)
    check(attack_server, Attack(command, lambda folder: words, path.name), tmp_path)

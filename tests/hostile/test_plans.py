"""Plans and their folders as a stranger hands them over: other programs, planted modules, links, ids that are paths."""

import json
import os

import pytest
from support.attacks import Attack, check
from support.hostile_texts import CLEAR, TITLE

pytestmark = pytest.mark.hostile

OWN = ["mvlpt", "tasks", "list", "--family", "embedded"]
RUN = ["schedule", "run", "p", "--retries", "0", "--executor"]


def plan(folder, *jobs, **more):
    root = folder / "p"
    root.mkdir()
    rows = [{"name": f"j{number}", "id": f"j{number}", "command": OWN, "seconds": 0.1, **job}
            for number, job in enumerate(jobs or ({},))]  # fmt: skip
    (root / "plan.json").write_text(json.dumps({"format": "mvlpt-plan", "version": 1, "jobs": rows, **more}))
    return root


def run(*jobs, executor="inline", words=None, change=lambda root: None, **more):
    def make(folder):
        change(plan(folder, *jobs, **more))
        return words or [*RUN, executor]

    return make


def command(*words):
    return run({"command": list(words)})


def linked(name, victim="../victim"):
    def change(root):
        (root.parent / "victim").write_text("# mine\n")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.path.relpath(root.parent / "victim", path.parent), path)

    return change


def modules(*names):
    """Modules of the names of libraries, in the folder of the plan and beside it."""

    def change(root):
        for name in names:
            for folder in (root, root.parent):
                (folder / f"{name}.py").write_text("open('pwned', 'w').close(); raise SystemExit('pwned')\n")
        (root / "mvlpt").mkdir()
        (root / "mvlpt" / "__init__.py").write_text("open('pwned', 'w').close(); raise SystemExit('pwned')\n")

    return change


SHAPES = {
    "id_parent": {"id": ".."},
    "id_path": {"id": "../../x"},
    "id_long": {"id": "x" * 5000},
    "id_nul": {"id": "a\0b"},
    "needs_itself": {"needs": ["j0"]},
    "needs_many": {"needs": ["x"] * 50_000},
    "command_empty": {"command": []},
    "command_numbers": {"command": [1, 2]},
    "command_nul": {"command": ["mvlpt", "a\0b"]},
    "memory_huge": {"memory_mb": 10**400},
    "memory_negative": {"memory_mb": -1},
    "inputs_outside": {"inputs": ["../../../etc/passwd"]},
    "outputs_outside": {"outputs": ["/etc/passwd"]},
    "kind_controls": {"kind": TITLE + CLEAR},
    "unknown_field": {TITLE: 1},
}
PROGRAMS = {
    "shell": ["sh", "-c", "touch pwned"],
    "path_to_mvlpt": ["./mvlpt", "train"],
    "demo": ["mvlpt", "demo"],
    "experiment": ["mvlpt", "experiment", "--config-file", "x.yaml"],
    "plugin": ["mvlpt", "train", "--plugin", "x.py"],
    "plugin_abbreviated": ["mvlpt", "train", "--plug", "x.py"],
    "results_out": ["mvlpt", "results", "r", "--out", "pwned"],
    "results_out_abbreviated": ["mvlpt", "results", "r", "--o=pwned"],
    "show_out": ["mvlpt", "tasks", "show", "weather-plain", "--out", "pwned.png"],
    "nothing": ["mvlpt"],
}
ATTACKS = [
    *(Attack(f"program_{name}", command(*words), "--trust") for name, words in PROGRAMS.items()),
    *(Attack(name, run(fields, words=["schedule", "plan", "p", "--list"]), "", (0, 2), "") for name, fields in
      SHAPES.items()),
    *(Attack(f"retry_{name}", run({"command": words}, words=["schedule", "retry", "p"]), "", (0, 1, 2), "p")
      for name, words in [("shell", PROGRAMS["shell"])]),
    Attack("cancel_controls", run(words=["schedule", "cancel", "p", TITLE + CLEAR]), "x1b"),
    Attack("logs_controls", run(words=["schedule", "logs", "p", "[/b]" + CLEAR]), "x1b"),
    Attack("logs_outside", run(words=["schedule", "logs", "p", "../../etc"]), "etc"),
    Attack("journal_linked", run(change=linked("journal.jsonl")), "journal.jsonl", 2, "p"),
    Attack("output_linked", run(change=linked("jobs/j0/1/output.log")), "", (0, 1, 2), "p"),
    Attack("cycle_of_many", run(*({"id": f"j{i}", "needs": [f"j{(i + 1) % 3000}"]} for i in range(3000)),
                                words=["schedule", "plan", "p"]), "plan.json"),
    Attack("chain_of_many", run(*({"needs": [f"j{i - 1}"] if i else []} for i in range(3000)),
                                words=["schedule", "plan", "p"]), "", 0, ""),
    Attack("slurm_is_missing", run(executor="slurm"), "", 2, "p", starts_programs=True),
    Attack("experiment_over_a_plan", lambda folder: (
        plan(folder, {"command": ["sh", "-c", "touch pwned"]}),
        (folder / "x.yaml").write_text("tasks: [weather-plain]\ntrainers: [configs/trainers/MVLPT-CoOp/embedded.yaml]\n"
                                       "arms: [single]\nshots: [1]\nseeds: [1]\n"),
        ["experiment", "--config-file", "x.yaml", "--output-dir", "p", "--dry-run"])[2], "", (0, 2), ""),
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_plans(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)
    assert not list(tmp_path.rglob("pwned*"))
    if (tmp_path / "victim").exists():
        assert (tmp_path / "victim").read_text() == "# mine\n"


def test_modules_in_the_folder_of_a_plan_are_not_imported(attack_server, tmp_path):
    attack = Attack("modules", run(executor="local", change=modules("torch", "yaml", "rich", "numpy", "json")),
                    "1 finished", 0, "p", starts_programs=True)  # fmt: skip
    check(attack_server, attack, tmp_path)
    assert not list(tmp_path.rglob("pwned*"))

"""Executors that a plugin file or an installed package adds, and what is known of an executor without opening it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.plans import shell_job

from mvlpt.cli import main
from mvlpt.errors import ScheduleError
from mvlpt.schedule import (
    EXECUTORS,
    ExecutorSpec,
    Plan,
    RunOptions,
    Slot,
    check_executor,
    load_plan,
    make_executor,
    planned_slots,
    read_records,
    register_executor,
    run_plan,
    save_plan,
)
from mvlpt.schedule.executors import registry

# Runs its attempts with subprocess: what somebody else would write, in one file, by the exported names alone.
MODULE = """
import subprocess
import time
from dataclasses import dataclass

from mvlpt.schedule import AttemptResult, ExecutorSpec, Slot, register_executor


@dataclass(frozen=True)
class Options:
    width: int = 1
    shell: str = "sh"


class Executor:
    name = "{name}"

    def __init__(self, options):
        self.options, self.results = options, []

    def slots(self):
        return [Slot(f"{name}{{index}}") for index in range(self.options.width)]

    def start(self, attempt, slot):
        attempt.folder.mkdir(parents=True, exist_ok=True)
        with open(attempt.folder / "output.log", "wb") as log:
            status = subprocess.run(attempt.command, cwd=attempt.root, stdout=log, check=False).returncode
        self.results.append(AttemptResult(*attempt.key, status, 0.1))
        return ""

    def poll(self):
        results, self.results = self.results, []
        return results

    def wait(self, timeout):
        time.sleep(0 if self.results else timeout)

    def stop(self, attempt, *, now):
        pass

    def adopt(self, attempt, handle):
        return False

    def close(self):
        pass


SPEC = ExecutorSpec("{name}", help="for a test", build=lambda options, run_command: Executor(options),
                    options=Options, jobs_option="width")
"""


@pytest.fixture
def forgets():
    """Executors that a test adds are taken out again."""
    before = dict(EXECUTORS._entries)
    yield
    EXECUTORS._entries.clear()
    EXECUTORS._entries.update(before)


def planned(root):
    jobs = [shell_job("a", "echo a > a", outputs=["a"])]
    jobs.append(shell_job("b", "cat a > b", [jobs[0]], ["b"]))
    root.mkdir(parents=True, exist_ok=True)
    save_plan(Plan(jobs), root / "plan.json")
    return root


def opened_by(root):
    return json.loads((root / "journal.jsonl").read_text().splitlines()[0])["executor"]


def test_a_plugin_file_adds_an_executor_to_schedule_run(tmp_path, forgets, capsys):
    plugin, root = tmp_path / "mine.py", planned(tmp_path / "run")
    plugin.write_text(MODULE.format(name="mine") + "\nregister_executor(SPEC)\n")
    assert main(["schedule", "run", str(root), "--trust", "--executor", "mine"]) == 2
    assert "No executor is named 'mine'" in capsys.readouterr().err
    words = ["schedule", "run", str(root), "--trust", "--plugin", str(plugin), "--executor", "mine", "--slots", "2"]
    assert main(words) == 0
    assert (root / "b").read_text() == "a\n"
    assert opened_by(root) == "mine"
    assert planned_slots("mine", width=3) == [Slot("mine0"), Slot("mine1"), Slot("mine2")]
    assert main([*words, "--executor-option", "widht=2"]) == 2
    assert "no option 'widht'; did you mean 'width'" in capsys.readouterr().err


def test_the_executor_of_the_page_runs_a_plan(tmp_path, forgets):
    page = Path(__file__).resolve().parents[2] / "docs" / "schedule.md"
    (tmp_path / "one_by_one.py").write_text(re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL).group(1))
    root = planned(tmp_path / "run")
    words = ["--trust", "--plugin", str(tmp_path / "one_by_one.py"), "--executor", "one-by-one"]
    assert main(["schedule", "run", str(root), *words]) == 0
    assert (root / "b").read_text() == "a\n"


def test_an_installed_package_adds_an_executor_by_entry_point(tmp_path, monkeypatch, forgets):
    packages, root = tmp_path / "site", planned(tmp_path / "run")
    info = packages / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "theirs.py").write_text(MODULE.format(name="theirs"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mvlpt.executors]\ntheirs = theirs:SPEC\nbroken = absent:SPEC\n")
    monkeypatch.syspath_prepend(str(packages))
    assert {"local", "theirs"} <= set(EXECUTORS)
    assert "theirs" not in sys.modules, "only the executor that is used is imported"
    options = RunOptions("theirs", {"width": "2"})
    assert len(options.planned_slots()) == 2
    assert run_plan(load_plan(root / "plan.json"), root, options).finished == 2
    with pytest.raises(ScheduleError, match="did you mean 'theirs'"):
        make_executor("their")
    with pytest.raises(ScheduleError, match=r"The executor 'broken'.*cannot be imported"):
        make_executor("broken")


def test_a_name_is_registered_once(forgets):
    spec = ExecutorSpec("twice", help="", build=lambda options, run_command: None)
    register_executor(spec)
    with pytest.raises(KeyError, match="registered already"):
        register_executor(ExecutorSpec("twice", help="", build=lambda options, run_command: None))
    register_executor(ExecutorSpec("twice", help="other", build=lambda options, run_command: None), force=True)
    assert registry.executor_spec("twice").help == "other"


def test_slots_of_a_dry_run_need_no_cluster():
    assert len(planned_slots("slurm", jobs="3")) == 3
    assert len(planned_slots("ray")) == 64
    assert planned_slots("inline") == [Slot("inline")]
    assert [slot.name for slot in planned_slots("local", slots=2, device="cpu")] == ["cpu0", "cpu1"]
    with pytest.raises(ScheduleError, match="minutes=x is not a whole number"):
        check_executor("slurm", minutes="x")


def test_settings_of_an_experiment_become_options():
    settings = {"name": "slurm", "slots": 8, "retries": 5, "time_limit": 60, "partition": "gpu", "gpus": 1}
    options = RunOptions.from_settings(settings, {"partition": "cpu"}, retry_failed=True)
    assert options.executor_options == {"partition": "cpu", "gpus": 1, "jobs": 8}
    assert (options.scheduler.retries, options.scheduler.time_limit) == (5, 60)
    assert options.scheduler.retry_failed
    assert options.uses_gpus()
    assert not options.spec.local
    assert RunOptions.from_settings({"name": "inline", "slots": 4}).executor_options == {}
    with pytest.raises(ScheduleError, match="did you mean 'slurm'"):
        RunOptions.from_settings({"name": "slrum"})


def test_a_plan_runs_in_one_call(tmp_path):
    root = planned(tmp_path)
    seen = []
    assert run_plan(load_plan(root / "plan.json"), root, RunOptions("inline"), listener=seen.append).finished == 2
    assert seen[-1].time_left == 0
    assert {record.state for record in read_records(root, load_plan(root / "plan.json")).values()} == {"finished"}


def test_the_room_loads_neither_torch_nor_what_its_jobs_need():
    code = (
        "import sys, mvlpt.schedule, mvlpt.schedule.worker, mvlpt.schedule.executors.local.executor;"
        "rooms = ('models', 'data', 'graph', 'engine', 'experiment', 'trainers', 'datasets', 'cli');"
        "sys.exit(repr([name for name in sys.modules if name.split('.')[0] == 'torch'"
        " or name.startswith(tuple('mvlpt.' + room for room in rooms))][:5]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"


def test_former_names_of_the_room_lead_to_the_experiments():
    import mvlpt.experiment
    import mvlpt.schedule

    with pytest.warns(DeprecationWarning, match=r"is now mvlpt\.experiment\.load_experiment"):
        assert mvlpt.schedule.load_experiment is mvlpt.experiment.load_experiment

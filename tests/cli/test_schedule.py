"""``mvlpt schedule`` as a person uses it, on small plans of shell commands and on an experiment file."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli_plans import REPORT, job, run_inline, schedule, scheduler, status_of, write_plan
from support.local_attempts import until
from support.plans import PATIENCE
from support.registries import restored_registries

from mvlpt.cli import main
from mvlpt.cli.schedule_logs import print_new
from mvlpt.cli.schedule_run import read_run_options
from mvlpt.errors import ScheduleError
from mvlpt.schedule.control import request
from mvlpt.schedule.plan_file import load_plan


@pytest.fixture
def root(tmp_path):
    """One job that works, one that breaks, one that needs it."""
    fail = "echo 'no [bold]luck[/bold] today'; exit 3"
    return write_plan(
        tmp_path / "my plan",
        job("good", f"echo fine; {REPORT}", kind="train", facts={"trainer": "MVLPT-VPT", "arm": "single"}),
        job("bad/one", fail),
        job("after", "true", ["bad/one"]),
    )


def test_a_plan_is_shown_before_it_runs(root, tmp_path, capsys):
    assert schedule("plan", root, "--slots", "2", "--list", "--picture", tmp_path / "plan.png") == 0
    shown = capsys.readouterr().out
    assert "Plan of 3 jobs" in shown
    assert "On 2 slots: about 0.2 s" in shown
    assert "sh -c true" in shown
    assert (tmp_path / "plan.png").stat().st_size > 1000
    assert sorted(path.name for path in root.iterdir()) == ["plan.json"]


def test_tables_break_no_word_at_80_columns(tmp_path, capsys, monkeypatch):
    facts = {"trainer": "ZeroshotCLIP", "arm": "all"}
    jobs = [job(f"j{n}", kind="evaluate", facts=facts, memory_mb=611) | {"seconds": 0.5 + 2.5 * n} for n in range(2)]
    root = write_plan(tmp_path / "wide", *jobs)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for verb in ("plan", "status"):
        assert schedule(verb, root) == 0
        shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        table = [line for line in shown.splitlines() if line[:1] in "┃│├└┏┡"]
        assert max(map(len, table)) <= 80
        assert any("all-together" in line and "ZeroshotCLIP" in line for line in table)


def test_a_run_says_what_failed_and_goes_on_after_a_retry(root, capfd):
    assert run_inline(root) == 1
    printed = capfd.readouterr()
    assert "1 of 3 finished, 1 failed, 1 blocked in" in printed.err
    assert "\x1b" not in printed.out + printed.err
    assert "failed: bad/one" in printed.out
    assert "  command: cd '" in printed.out
    assert "mvlpt schedule retry" in printed.out
    assert schedule("status", root) == 1
    assert "needs" not in capfd.readouterr().err
    assert schedule("retry", root) == 0
    assert "waiting again: bad/one" in capfd.readouterr().out
    assert schedule("status", root) == 0
    assert "1 of 3 finished, 2 waiting; no scheduler is running" in capfd.readouterr().out
    assert run_inline(root, "--retry-failed") == 1
    plan = json.loads((root / "plan.json").read_text())
    plan["jobs"][1]["command"] = "true"
    plan["jobs"][1]["id"] = load_plan(root / "plan.json").find("bad/one").id
    (root / "plan.json").write_text(json.dumps(plan))
    assert run_inline(root) == 1
    assert run_inline(root, "--retry-failed") == 0
    assert schedule("retry", root) == 0
    assert "no job has failed" in capfd.readouterr().out
    assert schedule("plan", root, "--slots", "1") == 0
    assert "finished" in capfd.readouterr().out


def test_status_for_programs(root, capsys):
    run_inline(root)
    record = status_of(root, capsys)
    assert record["states"] == {
        "waiting": 0, "running": 0, "finished": 1, "failed": 1, "blocked": 1, "cancelled": 0,
    }  # fmt: skip
    assert not record["scheduler_runs"]
    by_name = {one["name"]: one for one in record["jobs"]}
    assert by_name["bad/one"]["status"] == 3
    assert by_name["after"]["reason"] == "needs 'bad/one', which failed"
    assert by_name["good"]["facts"]["arm"] == "single"
    assert by_name["good"]["attempts"] == 1
    assert by_name["after"]["log"] is None


def test_logs_of_local_jobs(tmp_path, capfd):
    root = write_plan(tmp_path / "p", job("talks", "echo one; echo two >&2; exit 1"), job("later", "true", ["talks"]))
    assert schedule("run", root, "--trust", "--slots", "1", "--retries", "1", "--executor-option", "device=cpu") == 1
    shown = capfd.readouterr()
    assert "last output: two" in shown.out
    assert "again     talks after" in shown.err
    assert schedule("logs", root, "talks") == 0
    assert capfd.readouterr().out == "one\ntwo\n"
    assert schedule("logs", root, "talks", "--attempt", "1", "--follow") == 0
    assert capfd.readouterr().out == "one\ntwo\n"
    assert schedule("logs", root, "talks", "--attempt", "3") == 2
    assert "has 2 attempts, not attempt 3" in capfd.readouterr().err
    assert schedule("logs", root, "later") == 2
    assert "'later' has not started yet, so it has no log; it is blocked" in capfd.readouterr().err


def test_a_character_whose_end_is_not_written_yet_waits_for_it(tmp_path, capsys):
    log = tmp_path / "output.log"
    log.write_bytes("café".encode()[:-1])
    assert print_new(log, 0, last=False) == 3
    log.write_bytes("café".encode())
    assert print_new(log, 3, last=False) == 5
    assert capsys.readouterr().out == "café"
    log.write_bytes("café".encode()[:-1])
    print_new(log, 3, last=True)
    assert capsys.readouterr().out == "\\xc3"


def test_cancelled_jobs_do_not_run(root, capsys):
    ident = load_plan(root / "plan.json").find("bad/one").id
    assert schedule("cancel", root, ident[:6]) == 0
    assert "cancelled: bad/one" in capsys.readouterr().out
    assert run_inline(root) == 1
    states = {one["name"]: one["state"] for one in status_of(root, capsys)["jobs"]}
    assert (states["good"], states["bad/one"], states["after"]) == ("finished", "cancelled", "cancelled")
    assert schedule("cancel", root, "good") == 2
    assert "'good' cannot be cancelled: it is finished already" in capsys.readouterr().err
    assert schedule("retry", root, "good") == 2
    assert "'good' is finished; there is nothing to try again" in capsys.readouterr().err


def test_following_cancelling_and_stopping_a_run(tmp_path, capsys):
    slow = f"{REPORT}; while [ ! -e go ]; do sleep 0.05; done; for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done"
    root = write_plan(tmp_path / "p", job("a", slow), job("b", "sleep 600", ["a"]), job("c", "sleep 600", ["b"]))
    with scheduler(root) as process:
        until(lambda: status_of(root, capsys)["states"]["running"] == 1)
        until(lambda: status_of(root, capsys)["jobs"][0]["progress"] is not None)
        assert schedule("status", root) == 0
        shown = capsys.readouterr().out
        assert "25% loss 0.5" in shown
        assert f"a scheduler works on it (host {os.uname().nodename}, process {process.pid})" in shown
        (root / "go").touch()
        assert schedule("logs", root, "a", "--follow") == 0
        assert capsys.readouterr().out.split() == [word for i in range(1, 7) for word in ("line", str(i))]
        until(lambda: status_of(root, capsys)["jobs"][1]["state"] == "running")
        assert schedule("run", root, "--trust", "--executor", "inline") == 2
        assert "Another scheduler works on" in capsys.readouterr().err
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "run the same command again to go on" in out
    assert "stopped   b after" in err
    states = [one["state"] for one in status_of(root, capsys)["jobs"]]
    assert states == ["finished", "waiting", "waiting"]


def test_a_request_reaches_a_running_scheduler(tmp_path, capsys):
    root = write_plan(tmp_path / "p", job("a", "sleep 600"), job("b", "true"))
    plan = load_plan(root / "plan.json")
    with scheduler(root) as process:
        until(lambda: status_of(root, capsys)["states"]["running"] == 1)
        (running,) = (one["name"] for one in status_of(root, capsys)["jobs"] if one["state"] == "running")
        if running == "b":
            until(lambda: status_of(root, capsys)["jobs"][0]["state"] == "running")
        assert schedule("cancel", root, "a") == 0
        assert "asked the scheduler to cancel: a" in capsys.readouterr().out
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert {one["name"]: one["state"] for one in status_of(root, capsys)["jobs"]} == {"a": "cancelled", "b": "finished"}
    assert request(root, "retry", plan.find("a").id)


@pytest.fixture
def experiment(tmp_path, toy_tasks):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "tasks: [toy-warm, toy-cold]\n"
        "zero_shot: configs/trainers/ZeroshotCLIP/embedded.yaml\n"
        "trainers: [configs/trainers/MVLPT-CoOp/embedded.yaml]\n"
        "arms: [single, all]\nseeds: [1]\n"
        "executor: {name: inline, retries: 0}\n"
    )
    return file


def test_an_experiment_is_planned(experiment, tmp_path, capsys):
    assert schedule("plan", experiment, "--slots", "1") == 0
    shown = capsys.readouterr().out
    assert "zero-shot" in shown
    assert "all-together" in shown
    assert not (tmp_path / "out").exists()
    assert schedule("plan", experiment, "--slots", "1", "--output-dir", tmp_path / "out") == 0
    plan = load_plan(tmp_path / "out" / "plan.json")
    assert [one.kind for one in plan].count("evaluate") == 2
    assert schedule("run", experiment) == 2
    assert "name the folder for its runs with --output-dir" in capsys.readouterr().err


MISTAKES = {
    "nothing there": (["status", "nowhere"], "No folder at nowhere"),
    "no plan": (["run", "."], "No plan at plan.json"),
    "other file": (["plan", "odd.json"], "a plan is kept as plan.json in a folder of its own"),
    "not a plan": (["status", "broken"], "not readable JSON"),
    "job": (["logs", "p", "x"], "The plan holds no job 'x'"),
    "slots": (["plan", "p", "--slots", "0"], "--slots is 0; give 1 to 10,000"),
    "retries": (["run", "p", "--retries", "-1"], "--retries is -1"),
    "limit": (["run", "p", "--time-limit", "0"], "--time-limit is 0"),
    "option": (["run", "p", "--executor-option", "gpus"], "--executor-option 'gpus' is not of the form KEY=VALUE"),
    "option name": (["run", "p", "--trust", "--executor-option", "gpu_shares=2"], "did you mean 'gpu_share'?"),
    "picture": (["plan", "p", "--slots", "1", "--picture", "plan.doc"], "name a file that ends in .png, .svg or .pdf"),
    "output of a plan": (["plan", "p", "--output-dir", "q"], "go with an experiment file"),
    "groups": (["run", "grouped.yaml", "--output-dir", "q"], "give --groups, or use `mvlpt experiment`"),
    "yaml": (["plan", "absent.yaml"], "absent.yaml"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_sentence_with_status_2(tmp_path, monkeypatch, capsys, kind):
    words, expected = MISTAKES[kind]
    monkeypatch.chdir(tmp_path)
    write_plan(Path("p"), job("a"))
    Path("broken").mkdir()
    Path("broken/plan.json").write_text("{")
    Path("odd.json").write_text("{}")
    Path("grouped.yaml").write_text(
        "tasks: [weather-plain, tools-plain]\narms: [grouped]\ntrainers: [configs/trainers/MVLPT-CoOp/embedded.yaml]\n"
    )
    assert schedule(*words) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert expected in said
    assert "\n" not in said


def arguments(**given):
    from argparse import Namespace

    none = {"executor": None, "slots": None, "retries": None, "time_limit": None, "retry_failed": False}
    return Namespace(**{**none, "executor_option": [], **given})


def test_the_command_line_overrules_the_experiment():
    defaults = {"name": "slurm", "slots": 8, "retries": 5, "time_limit": 60, "partition": "gpu"}
    options = read_run_options(arguments(executor_option=["partition=cpu", "qos=a=b"], retries=0), defaults)
    assert (options.executor, options.scheduler.retries, options.scheduler.time_limit) == ("slurm", 0, 60)
    assert options.executor_options == {"partition": "cpu", "qos": "a=b", "jobs": 8}
    local = read_run_options(arguments(executor="local", slots=3), defaults)
    assert local.executor_options == {"slots": 3}
    assert read_run_options(arguments()).executor == "local"
    with pytest.raises(ScheduleError, match="--slots is 0"):
        read_run_options(arguments(slots=0))


def test_a_plan_knows_the_tasks_of_plugins(toy_tasks, tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mvlpt.data.datasets import DATASET_REGISTRY\n"
        "class Mine(DATASET_REGISTRY.get('toy-warm')):\n    name = 'toy-mine'\n"
        "DATASET_REGISTRY.register(Mine, name='toy-mine')\n"
    )
    trainer = str(Path(__file__).resolve().parents[2] / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
    experiment = {"tasks": ["toy-mine"], "trainers": [trainer], "arms": ["single"], "plugins": [str(plugin)]}
    (tmp_path / "e.yaml").write_text(json.dumps(experiment))
    assert schedule("plan", tmp_path / "e.yaml", "--list") == 0
    assert f"--dataset toy-mine --plugin {plugin}" in capsys.readouterr().out


def test_status_of_a_plan_loads_neither_torch_nor_models_nor_data(root):
    code = (
        "import sys; from mvlpt.cli import main; status = main(['schedule', 'status', sys.argv[1]]);"
        "loaded = {name for name in sys.modules if name.split('.')[0] in ('torch', 'open_clip', 'torchvision')"
        " or name.startswith(('mvlpt.models', 'mvlpt.data', 'mvlpt.graph', 'mvlpt.trainers'))};"
        "sys.exit(status or (repr(sorted(loaded)[:9]) if loaded else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "waiting" in done.stdout


def test_an_experiment_takes_the_executor_of_a_plugin(toy_tasks, tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mvlpt.schedule import ExecutorSpec, make_executor, register_executor\n"
        "def build(options, run_command):\n    return make_executor('inline', run_command=run_command)\n"
        "register_executor(ExecutorSpec('mine', help='as inline', build=build), force=True)\n"
    )
    trainer = str(Path(__file__).resolve().parents[2] / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
    file = tmp_path / "e.yaml"
    file.write_text(json.dumps({"tasks": ["toy-warm"], "trainers": [trainer], "arms": ["single"], "seeds": [1]}))
    words = ["experiment", "--config-file", str(file), "--output-dir", str(tmp_path / "out"), "--no-calibrate"]
    with restored_registries():
        assert main([*words, "--dry-run", "--executor", "mnie", "--plugin", str(plugin)]) == 2
        assert "did you mean 'mine'" in capsys.readouterr().err
        assert main([*words, "--dry-run", "--executor", "mine", "--plugin", str(plugin)]) == 0
        assert "On 1 slot" in capsys.readouterr().out

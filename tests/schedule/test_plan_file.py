"""``plan.json``: what is written is read back, and every way in which a file can be wrong is a sentence."""

import json

import pytest

from mvlpt.errors import PlanError
from mvlpt.schedule import Job, Plan, job_id, load_plan, save_plan

JOBS = [
    Job("aa", "train", "x/one", ("mvlpt", "train"), outputs=("x/one/run.json",), seconds=2.5, memory_mb=10.0),
    Job("bb", "average", "mean", ("mvlpt", "average"), needs=("aa",), inputs=("x/one",), labels={"tasks": ["ä", "bc"]}),
]


def write(path, *jobs, **changes):
    path.write_text(json.dumps({"format": "mvlpt-plan", "version": 1, "jobs": list(jobs), **changes}))
    return path


def job(name="a", **changes):
    return {"name": name, "command": ["true"], **changes}


def test_a_plan_is_read_back_as_it_was(tmp_path):
    save_plan(Plan(JOBS, {"seeds": [1, 2]}), tmp_path / "plan.json")
    plan = load_plan(tmp_path / "plan.json")
    assert list(plan) == JOBS
    assert plan.metadata == {"seeds": [1, 2]}
    save_plan(Plan([]), tmp_path / "empty.json")
    assert len(load_plan(tmp_path / "empty.json")) == 0


def test_a_plan_of_shell_commands_is_made_by_hand(tmp_path):
    path = write(tmp_path / "plan.json", job("first", command="echo a | cat"), job("then", needs=["first"]))
    first, then = load_plan(path)
    assert first.command == ("sh", "-c", "echo a | cat")
    assert then.needs == (first.id,)
    assert first.id == job_id(["first", ["sh", "-c", "echo a | cat"], []])
    assert (first.kind, first.seconds) == ("command", 1.0)


def test_a_job_is_found_by_its_name_its_id_or_the_beginning_of_its_id(tmp_path):
    jobs = [job("first", id="run1"), job("second", id="run10"), job("third", id="other"), job("half \ud800")]
    plan = load_plan(write(tmp_path / "plan.json", *jobs))
    assert [plan.find(word).name for word in ("second", "run1", "run10", "o")] == ["second", "first", "second", "third"]
    with pytest.raises(PlanError, match="'run' is the beginning of 2 job ids"):
        plan.find("run")


@pytest.mark.parametrize(
    ("jobs", "changes", "expected"),
    [
        ([], {"version": 2}, "is a plan of version 2, but this program reads version 1"),
        ([], {"version": None}, "of version None"),
        ([], {"format": "other"}, "is not a plan"),
        ([], {"jobs": {}}, "jobs must be a list"),
        ([], {"job": []}, "unknown key 'job'; did you mean 'jobs'"),
        ([job(needs=["b"]), job("b", needs=["a"])], {}, "need each other in a cycle"),
        ([job(needs=["a"])], {}, "cycle"),
        ([job(id="x"), job("b", id="x")], {}, "holds job x twice"),
        ([job(), job()], {}, "twice"),
        ([job(id="x"), job(id="y")], {}, "gives the name 'a' to two jobs"),
        ([job(needs=["c"])], {}, "needs job c, which the plan does not hold"),
        ([job(id="../x")], {}, "id is '../x'"),
        ([job("../a")], {}, "leads out of the folder"),
        ([job("/a")], {}, "leads out of the folder"),
        ([job(outputs=["../../etc"])], {}, "outputs names '../../etc', which leads out of the folder"),
        ([job(inputs="x")], {}, "inputs is 'x'; give a list of strings"),
        ([job(command=[])], {}, "command is []"),
        ([job(command=[1])], {}, "command is [1]"),
        ([job(command=None)], {}, "command is None"),
        ([job(kind="trian")], {}, "kind is 'trian'; did you mean 'train'"),
        ([job(seconds=-1)], {}, "seconds is -1"),
        ([job(seconds="3")], {}, "seconds is '3'"),
        ([job(facts=[])], {}, "facts is []"),
        ([job(need=[])], {}, "unknown key 'need'; did you mean 'needs'"),
        ([{"command": ["true"]}], {}, "job 1 of the list has no name"),
        (["true"], {}, "job 1 of the list has no name"),
    ],
)
def test_what_is_wrong_is_a_sentence(tmp_path, jobs, changes, expected):
    path = write(tmp_path / "plan.json", *jobs, **changes)
    with pytest.raises(PlanError) as error:
        load_plan(path)
    assert expected in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_all_wrong_jobs_are_reported_together(tmp_path):
    path = write(tmp_path / "plan.json", job("a", kind="x"), job("b", seconds=-1))
    with pytest.raises(PlanError, match=r"job 'a': kind is 'x'.*job 'b': seconds is -1"):
        load_plan(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "mvlpt-plan", "version": 1, "jobs": [' + "[" * 100_000])
def test_a_file_that_is_no_plan(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanError, match=r"plan\.json"):
        load_plan(tmp_path / "plan.json")


def test_no_file(tmp_path):
    with pytest.raises(PlanError, match="No plan at"):
        load_plan(tmp_path / "plan.json")


def moved_plan(root, metadata):
    root.mkdir()
    words = ("mvlpt", "train", "--dataset", f"{root}-data/birds", "--output-dir", f"{root}/runs/one", "--resume")
    first = Job("a1", "train", "runs/one", (*words, "DATALOADER.FEATURE_DIR", f"{root}/features"))
    last = Job("a2", "report", "report", ("mvlpt", "experiment", "--output-dir", str(root), "--only-report"), ("a1",))
    save_plan(Plan([first, last], metadata), root / "plan.json")
    return root.rename(root.with_name("new"))


@pytest.mark.parametrize("recorded", [True, False])
def test_commands_follow_a_folder_that_was_moved(tmp_path, recorded):
    old = tmp_path / "old"
    new = moved_plan(old, {"experiment": "e.yaml", **({"root": str(old)} if recorded else {})})
    plan = load_plan(new / "plan.json")
    assert [job.id for job in plan] == ["a1", "a2"]
    words = plan["a1"].command
    assert words[3] == f"{old}-data/birds", "what lies beside the folder stays there"
    assert (words[5], words[-1]) == (f"{new}/runs/one", f"{new}/features")
    assert plan["a2"].command[3] == str(new)
    save_plan(plan, new / "plan.json")
    again = new.rename(tmp_path / "third")
    assert load_plan(again / "plan.json")["a1"].command[5] == f"{again}/runs/one"


def test_a_plan_written_by_hand_keeps_its_paths(tmp_path):
    new = moved_plan(tmp_path / "old", {})
    assert load_plan(new / "plan.json")["a1"].command[5] == f"{tmp_path}/old/runs/one"

"""Plans, journals, requests and results of jobs that are absurd; run folders and features that somebody has spoiled."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import save_file
from support.attacks import Attack, check
from support.hostile_texts import CLEAR, DEEP_JSON, TITLE

pytestmark = pytest.mark.hostile

RUN = ["schedule", "run", "p", "--executor", "inline", "--retries", "0"]
STATUS = ["schedule", "status", "p"]


def job(name, command=("mvlpt", "tasks", "list", "--family", "embedded"), **more):
    return {"name": name, "command": command, "seconds": 0.1, **more}


def plan(folder, *jobs, **more):
    root = folder / "p"
    root.mkdir(exist_ok=True)
    head = {"format": "mvlpt-plan", "version": 1, "jobs": list(jobs or [job("a", id="a")])}
    (root / "plan.json").write_text(json.dumps({**head, **more}))
    return root


def planned(*jobs, words=STATUS, **more):
    def make(folder):
        plan(folder, *jobs, **more)
        return words

    return make


def raw_plan(content, words=STATUS):
    def make(folder):
        (folder / "p").mkdir()
        (folder / "p" / "plan.json").write_text(content)
        return words

    return make


def journal(*lines, words=STATUS):
    def make(folder):
        root = plan(folder)
        written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (root / "journal.jsonl").write_text("".join(line + "\n" for line in written))
        return words

    return make


def control(fill, words=RUN):
    def make(folder):
        root = plan(folder)
        (root / "control").mkdir()
        fill(root / "control" / "1.json")
        return words

    return make


ENDED = {
    "t": 1.0, "event": "ended", "job": "a", "attempt": 1, "status": 1, "seconds": 1.0, "reason": "x", "peak_mb": 1.0,
    "state": "waiting", "failures": 1, "micro_batches": 1, "retry_at": 2.0,
}  # fmt: skip
STATE = {"t": 1.0, "event": "state", "job": "a", "state": "waiting", "reason": "x"}
PLANS = [
    Attack("plan_deep", raw_plan(DEEP_JSON), "plan.json"),
    Attack("plan_digits", raw_plan("1" * 5000), "plan.json"),
    Attack("plan_version", planned(version=TITLE), "plan.json"),
    Attack("plan_name_controls", planned(job(TITLE + CLEAR), words=["schedule", "plan", "p", "--list"]), "\\x1b",
           status=0),
    Attack("plan_name_markup", planned(job("[/b]birds [v2]")), status=0),
    Attack("plan_name_outside", planned(job("../../x")), "plan.json"),
    Attack("plan_seconds", planned(job("a", seconds=10**400)), "plan.json"),
    Attack("plan_seconds_infinite", planned(job("a", seconds=float("inf"))), "plan.json"),
    Attack("plan_command_long", planned(
        *[job(f"j{i}", ["sh", "-c", "x" * 100_000], id=f"j{i}") for i in range(20)]), status=0),
    Attack("plan_command_long_shown", planned(
        *[job(f"j{i}", ["sh", "-c", "x" * 100_000], id=f"j{i}") for i in range(20)],
        words=["schedule", "plan", "p", "--list"]), status=0),
    Attack("plan_cwd", planned(words=RUN, facts={"cwd": ["x"]}), "cwd"),
    Attack("plan_program", planned(job("a", ["touch", "pwned"]), words=RUN), "--trust"),
    Attack("plan_shell", planned(job("a", "touch pwned"), words=RUN), "--trust"),
    Attack("plan_plugin", planned(job("a", ["mvlpt", "train", "--plugin=x.py"]), words=RUN), "--trust"),
    Attack("plan_circle", planned(job("a", needs=["b"]), job("b", needs=["a"])), "plan.json"),
]  # fmt: skip

JOURNALS = [
    Attack("journal_unknown_state", journal({**STATE, "state": "dreaming"}), "journal.jsonl"),
    Attack("journal_state_controls", journal({**STATE, "state": CLEAR}), "journal.jsonl"),
    Attack("journal_retry_infinite", journal({**ENDED, "retry_at": 1e999}), "journal.jsonl"),
    Attack("journal_status_text", journal({**ENDED, "status": "x"}), "journal.jsonl"),
    Attack("journal_attempt_huge", journal({"t": 1, "event": "started", "job": "a", "attempt": 10**400, "slot": "s"}),
           status=(0, 2)),
    Attack("journal_time_huge", journal({"t": 10**400, "event": "started", "job": "a", "attempt": 1, "slot": "s"}),
           "journal.jsonl"),
    Attack("journal_time_infinite", journal({"t": 1e999, "event": "started", "job": "a", "attempt": 1, "slot": "s"}),
           status=(0, 2)),
    Attack("journal_deep", journal(DEEP_JSON), "journal.jsonl"),
    Attack("journal_list", journal([]), "journal.jsonl"),
    Attack("journal_reason_controls", journal({**ENDED, "state": "failed", "reason": TITLE + CLEAR}), "\\x1b",
           status=1),
    Attack("journal_reason_markup", journal({**ENDED, "state": "failed", "reason": "[/b]"}), "[/b]", status=1),
    Attack("journal_retry_far", journal({**ENDED, "retry_at": 1e300}, words=STATUS), status=0),
    Attack("journal_dev_zero", lambda folder: [
        STATUS, os.symlink("/dev/zero", plan(folder) / "journal.jsonl")][0], "journal.jsonl"),
]  # fmt: skip

CONTROLS = {
    "deep": lambda path: path.write_text(DEEP_JSON),
    "digits": lambda path: path.write_text("1" * 5000),
    "huge": lambda path: path.write_bytes(b" " * 2**22),
    "pipe": lambda path: os.mkfifo(path),
    "zero": lambda path: os.symlink("/dev/zero", path),
    "folder": lambda path: path.mkdir(),
    "list": lambda path: path.write_text('{"action": ["cancel"], "job": {}}'),
}


@pytest.mark.parametrize("attack", [*PLANS, *JOURNALS], ids=lambda attack: attack.name)
def test_plans_and_journals(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)


@pytest.mark.parametrize("name", CONTROLS)
def test_requests_that_are_none_are_passed_over(name, attack_server, tmp_path):
    attack = Attack(f"control_{name}", control(CONTROLS[name]), status=0, writes="p")
    check(attack_server, attack, tmp_path)
    assert not os.path.lexists(tmp_path / "p/control/1.json")


TRAIN = [
    "train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "weather-plain", "--shots", "1",
    "--seed", "1", "--quiet", "--output-dir", "run", "OPTIM.MAX_EPOCH",
]  # fmt: skip


def spoiled(name, change):
    def make(folder):
        change(folder / "run")
        return [*TRAIN, "2", "--resume"] if "resume" in name else [
            *TRAIN[:-3], "--model-dir", "run", "--eval-only", "--output-dir", "out"]  # fmt: skip

    return make


def resume_state(**changes):
    def change(run):
        torch.save({"format": 1, "identity": "x", "epoch": 10**9, "next_batch": 0, "best": [], "models": {},
                    "random": {}, **changes}, run / "resume.pth.tar")  # fmt: skip

    return change


RUNS = {
    "pointer_not_utf8": lambda run: (run / "prompt_learner/checkpoint").write_bytes(b"\xff\xfe"),
    "pointer_controls": lambda run: (run / "prompt_learner/checkpoint").write_text(TITLE + CLEAR),
    "pointer_outside": lambda run: (run / "prompt_learner/checkpoint").write_text("../../../etc/passwd"),
    "pointer_long": lambda run: (run / "prompt_learner/checkpoint").write_text("x" * 4000),
    "pointer_pipe": lambda run: (os.unlink(run / "prompt_learner/checkpoint"),
                                 os.mkfifo(run / "prompt_learner/checkpoint")),
    "resume_epoch": resume_state(),
    "resume_no_fields": lambda run: torch.save({"format": 1}, run / "resume.pth.tar"),
    "resume_version": lambda run: torch.save({"format": TITLE}, run / "resume.pth.tar"),
    "resume_list": lambda run: torch.save([1], run / "resume.pth.tar"),
    "resume_run_json": lambda run: (run / "run.json").write_text(DEEP_JSON),
    "resume_config": lambda run: (run / "config.yaml").write_text("[" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_run_folders(name, attack_server, spoiled_run, tmp_path):
    attack = Attack(name, spoiled(name, RUNS[name]), writes=("run" if "resume" in name else "out"))
    check(attack_server, attack, tmp_path)


FEATURES = {
    "bytes": lambda features: (features * 64).to(torch.int8),
    "flags": lambda features: features > 0,
    "not_finite": lambda features: features * float("nan"),
    "infinite": lambda features: features / 0,
    "width": lambda features: features[..., :7].contiguous(),
    "images": lambda features: features[:, :-1].contiguous(),
    "views": lambda features: features[0].contiguous(),
    "nothing": lambda features: features[:, :0].contiguous(),
}


@pytest.mark.parametrize("name", FEATURES)
def test_features_that_cannot_be_right_are_computed_again(name, attack_server, kept_features, tmp_path):
    from safetensors import safe_open

    folder, score = kept_features
    shutil.copytree(folder, tmp_path / "features")
    for path in (tmp_path / "features").glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            metadata, features = file.metadata(), file.get_tensor("features")
        save_file({"features": FEATURES[name](features)}, path, metadata)
    attack = Attack(name, lambda folder: [*TRAIN, "1", "DATALOADER.FEATURE_DIR", "features"], score, 0, "")
    outcome = attack_server.run(attack.make(tmp_path), tmp_path, seconds=60)
    assert (outcome.status, outcome.actions) == (0, []), outcome
    assert score in outcome.out, outcome
    assert "computed again" in outcome.err, outcome

"""The local and the inline executor, with real processes."""

import json
import os
import signal

import pytest
from support.local_attempts import GROUP, alive, all_ended, attempt, next_ended, output, until
from support.plans import PATIENCE

from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import read_result
from mvlpt.schedule.executors.local.executor import LocalExecutor
from mvlpt.schedule.executors.local.options import LocalOptions
from mvlpt.schedule.slots import cpu_slots, gpu_slots, local_slots
from mvlpt.schedule.worker.messages import attempt_of, attempt_record


@pytest.fixture
def local(tmp_path):
    executor = LocalExecutor(LocalOptions(slots=2, device="cpu"))
    executor.root = tmp_path
    yield executor
    executor.close()
    assert alive(tmp_path) == []


def test_a_program_gets_its_surroundings_and_its_output_is_kept(local, tmp_path):
    script = 'echo "$MVLPT_X/$OMP_NUM_THREADS/$CUDA_VISIBLE_DEVICES/$PWD"; echo oops >&2; cat; exit 7'
    one = attempt(tmp_path, script, environment={"MVLPT_X": "é y"})
    local.start(one, local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (7, "ended with status 7")
    assert (one.folder / "output.log").read_text().splitlines() == [f"é y/1//{tmp_path}", "oops"]
    assert read_result(one) == ended
    assert json.loads((one.folder / "result.json").read_text())["command"] == ["sh", "-c", script]


def test_the_folder_may_have_any_name(tmp_path):
    root = tmp_path / "a b'\"$é\n"
    root.mkdir()
    executor = LocalExecutor(LocalOptions(slots=1, device="cpu"))
    try:
        executor.start(attempt(root, "pwd > out", outputs=("out",)), executor.slots()[0])
        assert next_ended(executor).status == 0
    finally:
        executor.close()
    assert alive(root) == []


def test_a_worker_is_kept_from_job_to_job_and_replaced_when_it_dies(local, tmp_path):
    slot = local.slots()[0]
    first = local.start(attempt(tmp_path, "true", 1), slot)
    next_ended(local)
    assert local.start(attempt(tmp_path, "exit 1", 2), slot) == first
    next_ended(local)
    one = attempt(tmp_path, GROUP + "echo here; sleep 600", 3)
    assert local.start(one, slot) == first
    until(lambda: "here" in output(one))
    os.kill(int(first), signal.SIGKILL)
    ended = next_ended(local)
    assert ended.status == -9
    assert "its worker ended by signal 9 (SIGKILL)" in ended.reason
    assert alive(tmp_path) == [], "what the dead worker ran is ended too"
    assert local.start(attempt(tmp_path, "true", 4), slot) != first
    assert next_ended(local).status == 0


def test_an_idle_worker_that_died_is_replaced_without_loss(local, tmp_path):
    slot = local.slots()[0]
    first = local.start(attempt(tmp_path, "true", 1), slot)
    next_ended(local)
    os.kill(int(first), signal.SIGKILL)
    os.waitid(os.P_PID, int(first), os.WEXITED | os.WNOWAIT)  # it has ended, and is left for the executor to notice
    assert local.start(attempt(tmp_path, "true", 2), slot) != first
    assert next_ended(local).status == 0


def test_a_program_killed_by_a_signal_is_named(local, tmp_path):
    local.start(attempt(tmp_path, "kill -SEGV $$"), local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (-11, "ended by signal 11 (SIGSEGV)")


def test_a_program_that_does_not_exist_is_bad_input(local, tmp_path):
    local.start(attempt(tmp_path, ["no-such-program"]), local.slots()[0])
    ended = next_ended(local)
    assert ended.status == 2
    assert "'no-such-program' cannot be started: No such file" in ended.reason


@pytest.mark.parametrize("command", ["true", ["mvlpt", "--version"]], ids=["program", "inside"])
def test_a_folder_to_run_in_that_does_not_exist_is_bad_input(local, tmp_path, command):
    local.start(attempt(tmp_path, command, cwd=tmp_path / "gone"), local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (2, f"the folder in which it is to run, {tmp_path}/gone, does not exist")


def test_outputs_must_be_there(local, tmp_path):
    local.start(attempt(tmp_path, "true", outputs=("x/y.txt",)), local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (1, "ended with status 0 but did not write x/y.txt")


def test_what_a_program_leaves_running_in_its_group_is_ended(local, tmp_path):
    local.start(attempt(tmp_path, "sleep 600 & exit 0"), local.slots()[0])
    assert next_ended(local).status == 0
    until(lambda: len(alive(tmp_path)) == 1)  # the worker


def test_a_gentle_stop_lets_a_program_save_its_state(local, tmp_path):
    one = attempt(tmp_path, "trap 'echo saved > state; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    local.start(one, local.slots()[0])
    until(lambda: "ready" in output(one))
    local.stop(one, now=False)
    assert next_ended(local).status == 0
    assert (tmp_path / "state").read_text() == "saved\n"


@pytest.mark.parametrize("begun", [True, False], ids=["running", "while its worker starts"])
def test_a_program_that_ends_by_the_gentle_signal_was_stopped(local, tmp_path, begun):
    one = attempt(tmp_path, "echo ready; sleep 600")
    local.start(one, local.slots()[0])
    until(lambda: "ready" in output(one) or not begun)
    local.stop(one, now=False)
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (130, "stopped")


def test_a_stop_at_once_ends_everything(local, tmp_path):
    one = attempt(tmp_path, "trap '' TERM INT; " + GROUP + "echo ready; while :; do sleep 0.05; done")
    local.start(one, local.slots()[0])
    until(lambda: "ready" in output(one))
    local.stop(one, now=False)
    local.stop(one, now=True)
    ended = next_ended(local)
    assert ended.status < 0
    assert alive(tmp_path) == []


@pytest.mark.parametrize("script", ["sleep 600", "trap '' TERM; while :; do sleep 0.05; done"])
def test_a_job_over_its_time_limit_is_ended(local, tmp_path, script):
    local.start(attempt(tmp_path, script, time_limit=0.3, grace=0.3), local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (124, "ran over its time limit of 0.3 s")


def test_two_slots_run_side_by_side(local, tmp_path):
    for place, slot in enumerate(local.slots()):
        other = 1 - place
        script = f"touch at{place}; while [ ! -e at{other} ]; do sleep 0.01; done"
        local.start(attempt(tmp_path, script, ident=f"j{place}", time_limit=PATIENCE), slot)
    assert [ended.status for ended in all_ended(local, 2)] == [0, 0]


def test_commands_of_mvlpt_run_in_the_worker(local, tmp_path):
    slot = local.slots()[0]
    one = attempt(tmp_path, ["mvlpt", "--version"])
    pid = local.start(one, slot)
    assert next_ended(local).status == 0
    assert (one.folder / "output.log").read_text().strip().count(".") == 2
    two = attempt(tmp_path, ["mvlpt", "tasks", "--no-such-option"], 2)
    assert local.start(two, slot) == pid
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (2, "ended with status 2, bad input")
    assert "mvlpt tasks has no option --no-such-option" in (two.folder / "output.log").read_text()


def test_nothing_is_left_when_an_executor_is_closed_over_running_jobs(tmp_path):
    executor = LocalExecutor(LocalOptions(slots=1, device="cpu"))
    one = attempt(tmp_path, GROUP + "echo ready; sleep 600")
    executor.start(one, executor.slots()[0])
    until(lambda: "ready" in output(one))
    executor.close()
    assert alive(tmp_path) == []
    assert read_result(one) is None


def test_a_worker_whose_folder_cannot_be_made_fails_the_attempt_and_leaves_nothing_open(local, tmp_path):
    (tmp_path / "jobs").write_text("in the way")
    before = len(os.listdir("/proc/self/fd"))
    local.start(attempt(tmp_path, "true"), local.slots()[0])
    ended = next_ended(local)
    assert (ended.status, ended.reason) == (1, "its worker cannot be started: Not a directory")
    assert len(os.listdir("/proc/self/fd")) == before


def test_attempts_survive_the_pipe(tmp_path):
    one = attempt(tmp_path, "true", 3, environment={"A": "b"}, time_limit=2.5, cwd=tmp_path, outputs=("x",))
    assert attempt_of(json.loads(json.dumps(attempt_record(one)))) == one


def test_slots_of_this_machine(monkeypatch):
    assert len(local_slots(device="cpu")) == len(os.sched_getaffinity(0))
    assert local_slots(3, device="cpu") == cpu_slots(3)
    with pytest.raises(ScheduleError, match="99,999,999 jobs at once are too many; give at most 10,000 slots"):
        local_slots(99_999_999, device="cpu")
    monkeypatch.setattr("mvlpt.schedule.slots.gpu_memories", lambda: [80.0, 40.0])
    assert [slot.name for slot in local_slots()] == ["gpu0", "gpu1"]
    assert [slot.name for slot in local_slots(3, 2)] == ["gpu0.0", "gpu1.0", "gpu0.1"]
    assert gpu_slots([80.0, 40.0])[1].memory_mb == 40.0
    executor = LocalExecutor(LocalOptions(gpu_share=2))
    monkeypatch.setattr(executor, "_visible", ["3", "GPU-x"])
    shown = [executor._environment(slot)["CUDA_VISIBLE_DEVICES"] for slot in executor.slots()]
    assert shown == ["3", "GPU-x", "3", "GPU-x"]
    assert "OMP_NUM_THREADS" not in executor._environment(executor.slots()[0])

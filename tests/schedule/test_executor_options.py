"""Options of the cluster executors, and what they become; needs neither Ray nor SLURM."""

import sys
from pathlib import Path

import pytest
from support.plans import shell_job

from mvlpt.errors import MissingExtraError, ScheduleError
from mvlpt.schedule.attempts import Attempt
from mvlpt.schedule.executors.options import read_options
from mvlpt.schedule.executors.ray.options import RayOptions
from mvlpt.schedule.executors.slurm import queue as slurm_queue
from mvlpt.schedule.executors.slurm.batches import Batch, is_temporary, parameters, time_limit
from mvlpt.schedule.executors.slurm.options import SlurmOptions
from mvlpt.schedule.executors.slurm.queue import QueuedJob


def attempt(root: Path = Path("/data/study"), **fields) -> Attempt:
    job = shell_job("one", "true")
    return Attempt(job, 1, root / "jobs" / job.id / "1", root, job.command, **fields)


def test_text_is_read_as_the_type_of_the_option():
    given = {"minutes": "30", "memory_gb": "1.5", "arrays": "no", "requeue": "True", "partition": " gpu "}
    assert read_options(SlurmOptions, given, "slurm") == SlurmOptions(
        minutes=30, memory_gb=1.5, arrays=False, requeue=True, partition="gpu"
    )
    assert read_options(RayOptions, {"gpus": 0.25, "jobs": 3}, "ray") == RayOptions(gpus=0.25, jobs=3)
    assert read_options(SlurmOptions, {"partition": None, "minutes": None}, "slurm") == SlurmOptions()


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        (SlurmOptions, {"partitoin": "x"}, "no option 'partitoin'; did you mean 'partition'"),
        (SlurmOptions, {"minutes": "1.5"}, "minutes=1.5 is not a whole number"),
        (SlurmOptions, {"pack": "0"}, "pack=0 is too small; give 1"),
        (SlurmOptions, {"minutes": "0"}, "minutes=0 is too small; give 1"),
        (SlurmOptions, {"memory_gb": "nan"}, "memory_gb=nan is not finite"),
        (SlurmOptions, {"arrays": "maybe"}, "arrays=maybe is neither true nor false"),
        (SlurmOptions, {"sbatch": "nodelist"}, "'nodelist' is not of the form NAME=VALUE"),
        (RayOptions, {"gpus": "1.5"}, "gpus=1.5 is neither a share of one GPU nor a whole number"),
        (RayOptions, {"cpus": "-1"}, "cpus=-1.0 is too small"),
        (RayOptions, {"warm": "hot"}, "warm=hot is none of cpu, always, never"),
        (RayOptions, {"node_retries": "many"}, "node_retries=many is not a whole number"),
        (RayOptions, {"resources": "disk"}, "'disk' is not of the form NAME:VALUE"),
        (RayOptions, {"resources": "disk:some"}, "the amount 'some' of 'disk' is not a number"),
        (RayOptions, {"resources": "disk:nan"}, "the amount nan of 'disk' is not a finite number above 0"),
        (RayOptions, {"resources": "disk:-1"}, "the amount -1 of 'disk' is not a finite number above 0"),
        (RayOptions, {"resources": "CPU:2"}, "resources names CPU, which is an option of its own; give cpus"),
    ],
)
def test_wrong_options_are_one_sentence(kind, given, sentence):
    with pytest.raises(ScheduleError) as error:
        read_options(kind, given, "x")
    assert sentence in str(error.value)


def test_options_become_parameters_of_submitit():
    options = SlurmOptions(
        partition="a,b", cpus=4, gpus=1, memory_gb=1.5, setup="module load cuda", sbatch="nodelist=n1; reservation=r"
    )
    batch = Batch(60, False, [attempt()])
    found = parameters(batch, options)
    assert found.pop("job_name") == batch.name
    assert found == {
        "time": 60,
        "partition": "a,b",
        "cpus_per_task": 4,
        "gpus_per_node": 1,
        "mem": "1536MB",
        "array_parallelism": 256,
        "signal_delay_s": 90,
        "setup": ["export PYTHONSAFEPATH=1", "module load cuda"],
        "srun_args": ["--cpus-per-task=4"],
        "comment": "study",
        "additional_parameters": {"nodelist": "n1", "reservation": "r", "requeue": True},
    }
    bare = parameters(batch, SlurmOptions(requeue=False))
    assert not {"partition", "mem", "gpus_per_node"} & set(bare)
    assert bare["additional_parameters"] == {"no-requeue": True}


def test_slurm_gives_an_attempt_more_time_than_its_own_limit():
    assert time_limit(attempt(), SlurmOptions(minutes=20)) == (20, False)
    minutes, limited = time_limit(attempt(time_limit=61.0, grace=30.0), SlurmOptions(signal_seconds=90))
    assert limited
    assert minutes * 60 >= 61 + 30 + 90 + 60  # SLURM may warn a job a minute too early


def test_attempts_are_dealt_out_to_allocations_and_get_the_time_of_all():
    limited = [attempt(time_limit=60.0, grace=30.0) for _ in range(7)]
    options = SlurmOptions(pack=3, signal_seconds=60)
    batch = Batch(time_limit(limited[0], options)[0], True, limited, pack=3)
    assert [len(pack) for pack in batch.packs()] == [3, 2, 2]
    assert [batch.index(number) for number in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert 3 * (60 + 30) + 60 + 60 <= 60 * parameters(batch, options)["time"] <= 3 * (60 + 30) + 60 + 120
    assert [half.jobs for half in batch.halved()] == [1, 2]
    assert parameters(Batch(20, False, [attempt()] * 3, pack=3), options)["time"] == options.minutes


def test_two_batches_never_share_a_name():
    assert len({Batch(1, False).name for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "temporary"),
    [
        ("sbatch: error: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: error: invalid partition specified: nope", False),
    ],
)
def test_temporary_refusals_differ_from_lasting_ones(text, temporary):
    assert is_temporary(ScheduleError(text)) == temporary


def test_queue_is_read_from_squeue(monkeypatch):
    text = "17|PENDING|Priority|mvlpt-a\n18_3|RUNNING|None|mvlpt-b\n18_[4-6%2]|PENDING|None|a|b\n19|TIMEOUT|None|z\n"
    monkeypatch.setattr(slurm_queue, "_run", lambda command: text)
    queue = slurm_queue.read_queue()
    assert queue["17"] == QueuedJob("17", "mvlpt-a", "PENDING", "Priority")
    assert [job.index for job in queue.values()] == [0, 3, 0, 0]
    assert [job.alive for job in queue.values()] == [True, True, True, False]
    monkeypatch.setattr(slurm_queue, "_run", lambda command: None)
    assert slurm_queue.read_queue() is None


def test_without_slurm_the_executor_says_so(monkeypatch):
    pytest.importorskip("submitit")
    from mvlpt.schedule.executors.slurm.executor import SlurmExecutor

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ScheduleError, match="no 'sbatch' on this machine; start it on a login node"):
        SlurmExecutor()


@pytest.mark.parametrize(("library", "extra"), [("ray", "ray"), ("submitit", "slurm")])
def test_a_missing_library_names_its_extra(monkeypatch, library, extra):
    from mvlpt.schedule.executors.ray.executor import RayExecutor
    from mvlpt.schedule.executors.slurm.executor import SlurmExecutor

    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'mvlpt\[{extra}\]'"):
        (RayExecutor if extra == "ray" else SlurmExecutor)()

"""Worker processes of loaders that die, or cannot be started."""

import multiprocessing
import os
import resource
import signal

import pytest

from mvlpt.data import build_data_loader, build_transform
from mvlpt.data.loading import deaths_explained
from mvlpt.data.loading import workers as module
from mvlpt.errors import ConfigError, LoaderWorkerError


@pytest.fixture
def loader(make_cfg, make_items):
    """A loader of two workers."""
    cfg = make_cfg(DATALOADER__NUM_WORKERS=2)
    items = make_items(per_class=40)
    made = build_data_loader(cfg, "RandomSampler", items, batch_size=2, tfm=build_transform(cfg, True), is_train=True)
    before = set(multiprocessing.active_children())
    yield made
    made.close()
    for child in set(multiprocessing.active_children()) - before:
        child.kill()


def kill_one(loader, number):
    """Ends the second worker in the middle of an epoch and reads on; torch reports it wherever the main thread is."""
    before = set(multiprocessing.active_children())
    with deaths_explained():
        batches = iter(loader)
        next(batches)
        second = max(set(multiprocessing.active_children()) - before, key=lambda child: child.pid)
        os.kill(second.pid, number)
        for _ in batches:
            pass
    return second


@pytest.mark.parametrize(
    ("number", "why", "remedy"),
    [
        (signal.SIGKILL, "killed by signal 9 (SIGKILL), as the system does when memory runs out", "NUM_WORKERS"),
        (signal.SIGBUS, "killed by signal 7 (SIGBUS), which happens when shared memory is full", "--shm-size"),
        (signal.SIGSEGV, "killed by signal 11 (SIGSEGV)", "NUM_WORKERS 0 to see what fails"),
    ],
)
def test_a_worker_that_is_killed_is_one_sentence(loader, monkeypatch, number, why, remedy):
    monkeypatch.setattr(module, "_memory_kills", lambda: 3)
    with pytest.raises(LoaderWorkerError) as error:
        kill_one(loader, number)
    said = str(error.value)
    assert "The data loader's worker 2 of 2 (process " in said
    assert why in said
    assert remedy in said
    assert "\n" not in said


def test_out_of_memory_is_named_where_the_system_says_so(loader, monkeypatch):
    counts = iter([3, 4, 4])
    monkeypatch.setattr(module, "_memory_kills", lambda: next(counts))
    with pytest.raises(LoaderWorkerError, match="while the system ran out of memory"):
        kill_one(loader, signal.SIGKILL)


def test_a_loader_whose_worker_died_can_be_used_again(loader):
    with pytest.raises(LoaderWorkerError):
        kill_one(loader, signal.SIGKILL)
    assert len(list(loader)) == len(loader)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), deaths_explained():
        raise RuntimeError("shapes differ")


def test_too_few_open_files_are_found_before_a_worker_starts(loader):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = set(multiprocessing.active_children())
    used = set(map(int, os.listdir("/proc/self/fd")))
    free = [number for number in range(len(used) + 20) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[10], hard))
    try:
        with pytest.raises(ConfigError, match=r"2 loader workers need 20 open files more.*ulimit -n 1024"):
            next(iter(loader))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(multiprocessing.active_children()) == before

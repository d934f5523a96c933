"""Shared by all tests: quiet, offline, one thread."""

import gc
import os
import signal
from contextlib import suppress
from itertools import count
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A suite that a script starts in its background, or that runs under nohup, is started with SIGINT ignored, and the
# programs that its tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch


def pytest_configure(config):
    """Tests run on the CPU, also where there is a GPU, unless those of GPUs are asked for (``-m gpu``)."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device and -m gpu")


@pytest.fixture(autouse=True, scope="session")
def no_waiting():
    """No test survives a power cut, and waiting for the disk takes as long as a short run; libraries are no garbage."""
    sync, os.fsync = os.fsync, lambda descriptor: None
    gc.collect()
    gc.freeze()
    yield
    os.fsync = sync


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared by two test processes; more threads than that only spin."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def states(tmp_path_factory):
    """Names of folders that are not there yet. To make and remove one for each test takes as long as most tests."""
    root = tmp_path_factory.mktemp("states")
    return (str(root / str(number)) for number in count())


@pytest.fixture(autouse=True)
def own_state(states, monkeypatch):
    """Trusted plans are kept in a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", next(states))


@pytest.fixture(scope="session")
def toy_tasks(tmp_path_factory):
    """Registers the toy tasks; their folder."""
    from support.toy import write_tasks

    from mvlpt.data.datasets import DATASET_REGISTRY
    from mvlpt.datasets.embedded import embedded_names, embedded_task

    root = write_tasks(tmp_path_factory.mktemp("toy"))
    DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))
    return root


def _children():
    """Ids of the programs that this process has started, without those that multiprocessing keeps."""
    found = {}
    with suppress(OSError):
        for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            with suppress(OSError):
                found[int(word)] = Path(f"/proc/{word}/cmdline").read_bytes()
    return {pid for pid, command in found.items() if b"multiprocessing" not in command}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.stash[_FAILED] = outcome.get_result().failed


_FAILED = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def no_leftovers(request):
    """Ends the programs that a test has started and, since it failed, not ended."""
    from support.plans import descendants

    before = _children()
    yield
    if request.node.stash.get(_FAILED, True):
        for child in _children() - before:
            for pid in {child, *descendants(child)}:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

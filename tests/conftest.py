"""Shared by all tests: quiet, offline, one thread."""

import os
import signal

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A suite that a script starts in its background, or that runs under nohup, is started with SIGINT ignored, and the
# programs that its tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared by two test processes; more threads than that only spin."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy_tasks(tmp_path_factory):
    """Registers the toy tasks; their folder."""
    from support.toy import write_tasks

    from mvlpt.data.datasets import DATASET_REGISTRY
    from mvlpt.datasets.embedded import embedded_names, embedded_task

    root = write_tasks(tmp_path_factory.mktemp("toy"))
    DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))
    return root

"""Shared by all tests: quiet, offline, one thread."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared by two test processes; more threads than that only spin."""
    torch.set_num_threads(1)

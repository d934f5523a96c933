"""Ctrl-C at a certain step of a run in this process."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mvlpt.engine.simple_trainer import SimpleTrainer


@contextmanager
def ctrl_c_after(steps: int) -> Iterator[None]:
    """Within the block, the step with this number (from 1, over all runs) is followed by Ctrl-C."""
    made, after_step = 0, SimpleTrainer.after_step

    def stop(self: SimpleTrainer, next_batch: int) -> None:
        nonlocal made
        made += 1
        if made == steps:
            os.kill(os.getpid(), signal.SIGINT)
        after_step(self, next_batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimpleTrainer, "after_step", stop)
        yield

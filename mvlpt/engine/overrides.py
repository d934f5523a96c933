"""What the engine adds to hooks that a trainer of a plugin defines itself."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.data.sampling import PseudoLabelOptions
from mvlpt.engine.start_share import check_start_share
from mvlpt.errors import ConfigError

_DEFAULTS = {"train_loader_u": None, "val_loader": None, "num_source_domains": 0, "lab2cname": None}


def check_options(trainer: Any, cfg: CfgNode) -> None:
    """Calls ``check_cfg``, after what the engine asks of every trainer's options.

    Raises:
        ConfigError: the trainer reads labels where there are to be none, or an assertion in it does not hold, which
            the message quotes.
    """
    check_takes_pseudo_labels(trainer, cfg)
    check_start_share(cfg)
    try:
        trainer.check_cfg(cfg)
    except AssertionError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f": {error}" if str(error) else ""
        raise ConfigError(
            f"The trainer {type(trainer).__name__} refuses these options{said} ({frame.filename}:{frame.lineno} says: "
            f"{frame.line}); set the option named there"
        ) from error


def check_takes_pseudo_labels(trainer: Any, cfg: CfgNode) -> None:
    """Refuses ``DATASET.PSEUDO_LABELS`` for a trainer, or a class of trainers, that would read labels.

    Raises:
        ConfigError: names the trainer, and what to take instead.
    """
    wanted = PseudoLabelOptions.of(cfg)
    if wanted.used and cfg.RUN.MODE in ("train", "build") and not getattr(trainer, "takes_pseudo_labels", False):
        raise ConfigError(
            f"{cfg.TRAINER.NAME} needs labels and cannot train by DATASET.PSEUDO_LABELS.METHOD {wanted.method}; take a"
            " trainer of prompts, such as MVLPT-CoOp, or set METHOD none"
        )


def complete_loaders(trainer: Any) -> None:
    """Sets what a ``build_data_loader`` of its own has left out, from its data manager where that has it."""
    dm = getattr(trainer, "dm", None) or getattr(trainer.train_loader_x, "manager", None)
    trainer.dm = dm if dm is not None else SimpleNamespace(dataset=None)
    for name, default in _DEFAULTS.items():
        if not hasattr(trainer, name):
            setattr(trainer, name, getattr(dm, name, default))


def correct_device(trainer: Any) -> None:
    """Takes the CPU where a trainer has named a GPU and torch sees none."""
    if torch.device(trainer.device).type == "cuda" and not torch.cuda.is_available():
        trainer.device = torch.device("cpu")


def scored_test(trainer: Any, test: Callable[[], Any]) -> Any:
    """Calls a ``test`` that a trainer defines itself, which may end the process once it has its scores.

    Returns:
        What it returns, or where it ends the process with status 0 after the engine's evaluator has scored, the mean
        of these scores.
    """
    try:
        with _exit_as_exception():
            return test()
    except SystemExit as stop:
        scores = getattr(trainer.evaluator, "task_scores", ())
        if stop.code not in (None, 0) or not scores:
            raise
        return sum(score.value for score in scores) / len(scores)


@contextmanager
def _exit_as_exception() -> Iterator[None]:
    """Context in which ``os._exit`` of this thread raises SystemExit, and the standard output cannot be closed."""
    process, thread = os.getpid(), threading.get_ident()
    leave, stream = os._exit, sys.stdout

    def exit_here(status: int) -> None:
        if (os.getpid(), threading.get_ident()) != (process, thread):  # a worker of a loader, for instance
            leave(status)
        raise SystemExit(status)

    os._exit = exit_here
    sys.stdout = _Unclosable(stream)
    try:
        yield
    finally:
        os._exit, sys.stdout = leave, stream


class _Unclosable:
    """A stream that goes on where ``close()`` is called."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Writes out what is held back, and nothing else."""
        self._stream.flush()

"""What is broken in Dassl on current PyTorch and NumPy, repaired from outside. Dassl's files are not changed.

- Warm-up schedulers hand on an argument that torch 2.7 has removed, and keep whole objects in their state.
- Checkpoints hold those objects, which ``weights_only`` refuses; a resumed schedule steps a copy of its optimiser.
- ``load_model`` formats the missing validation score of ``model.pth.tar-N``.
- Two augmentations use ``np.int``.
- ``Logger`` closes the standard output.
- The evaluator is built with ``lab2cname``, which some of its trainers do not set (FixMatch).
- Images in archives, as the embedded tasks have them, are not read.

Not repaired: a resumed run has forgotten its best score and the random state.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch.optim.lr_scheduler import LRScheduler

from mvlpt.data import read_image
from mvlpt.engine import load_checkpoint
from mvlpt.errors import CheckpointError
from mvlpt.io import read_text

MARK = "__mvlpt_repaired__"


def repair_dassl() -> None:
    """Repairs the installed Dassl, which must have been imported; a second call does nothing."""
    dassl = sys.modules["dassl"]
    if getattr(dassl, MARK, False):
        return
    schedulers = importlib.import_module("dassl.optim.lr_scheduler")
    torchtools = importlib.import_module("dassl.utils.torchtools")
    warmup = schedulers._BaseWarmupScheduler
    warmup.__init__, warmup.state_dict, warmup.load_state_dict = _init_warmup, _warmup_state, _load_warmup_state
    _replace_everywhere(torchtools.load_checkpoint, _load_checkpoint)
    _replace_everywhere(torchtools.resume_from_checkpoint, _resume_from_checkpoint)
    for name in ("randaugment", "autoaugment"):
        importlib.import_module(f"dassl.data.transforms.{name}").np = _NumPyWithInt("numpy")
    importlib.import_module("dassl.engine.trainer").SimpleTrainer.lab2cname = None
    importlib.import_module("dassl.utils.logger").Logger.close = _close_file_only
    importlib.import_module("dassl.data.data_manager").read_image = read_image
    setattr(dassl, MARK, True)


def _init_warmup(
    self: Any, optimizer: Any, successor: Any, warmup_epoch: int, last_epoch: int = -1, verbose: bool = False
) -> None:
    self.successor = successor
    self.warmup_epoch = warmup_epoch
    LRScheduler.__init__(self, optimizer, last_epoch)


def _warmup_state(self: Any) -> dict[str, Any]:
    """Plain numbers in place of the successor itself."""
    state = {key: value for key, value in LRScheduler.state_dict(self).items() if key != "successor"}
    return {**state, "successor": self.successor.state_dict()}


def _load_warmup_state(self: Any, state: dict[str, Any]) -> None:
    successor = state.get("successor")
    self.__dict__.update({key: value for key, value in state.items() if key != "successor"})
    if isinstance(successor, dict):
        self.successor.load_state_dict(successor)


def _load_checkpoint(fpath: str) -> dict[str, Any]:
    content = load_checkpoint(fpath)
    if content.get("val_result") is None:
        content["val_result"] = math.nan
    return content


def _resume_from_checkpoint(fdir: str, model: Any, optimizer: Any = None, scheduler: Any = None) -> int:
    pointer = read_text(Path(fdir) / "checkpoint", error=CheckpointError, largest=4096)
    pointed = Path(pointer.strip()).name
    content = _load_checkpoint(str(Path(fdir) / pointed))
    model.load_state_dict(content["state_dict"])
    if optimizer is not None and content.get("optimizer"):
        optimizer.load_state_dict(content["optimizer"])
    state = content.get("scheduler")
    if scheduler is not None and state:
        if "successor" in state and not isinstance(state["successor"], dict):  # a checkpoint without the repair
            for _ in range(content["epoch"]):
                scheduler.step()
        else:
            scheduler.load_state_dict(state)
    return content["epoch"]


def _close_file_only(self: Any) -> None:
    if self.file is not None:
        self.file.close()


def _replace_everywhere(old: Any, new: Any) -> None:
    """Puts ``new`` in the place of ``old`` in every module that has imported it."""
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()) if isinstance(module, ModuleType) else ():
            if value is old:
                setattr(module, name, new)


class _NumPyWithInt(ModuleType):
    """NumPy with the name ``int`` that it had."""

    int = int

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

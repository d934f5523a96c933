"""Small repositories in the layout of public ones, written into a folder for a test."""

from __future__ import annotations

import textwrap
from pathlib import Path

HEADER = """
import torch
from torch import nn
from torch.nn import functional as F
from dassl.engine import TRAINER_REGISTRY, TrainerX
from dassl.metrics import compute_accuracy
from dassl.optim import build_lr_scheduler, build_optimizer
"""
BODY = """
    def build_model(self):
        self.model = nn.Linear(3, self.num_classes)
        self.model.to(self.device)
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("linear", self.model, self.optim, self.sched)

    def model_inference(self, input):
        return self.model(input.mean(dim=(2, 3)))

    def forward_backward(self, batch):
        image, label = self.parse_batch_train(batch)
        output = self.model_inference(image)
        loss = F.cross_entropy(output, label)
        self.model_backward_and_update(loss)
        if (self.batch_idx + 1) == self.num_batches:
            self.update_lr()
        return {"loss": loss.item(), "acc": compute_accuracy(output, label)[0].item()}

    def parse_batch_train(self, batch):
        return batch["img"].to(self.device), batch["label"].to(self.device)
"""
# Ctrl-C at the second step of the second epoch, unless the file `calm` is there.
INTERRUPT = """
import os
import signal

STEPS = [0]


def maybe_interrupt(trainer):
    STEPS[0] += 1
    calm = os.path.join(os.path.dirname(trainer.cfg.OUTPUT_DIR), "calm")
    if trainer.epoch == 1 and trainer.batch_idx == 1 and not os.path.exists(calm):
        os.kill(os.getpid(), signal.SIGINT)
"""
TRAIN = """
import argparse
import a_package_that_nobody_has
from dassl.config import get_cfg_default
import datasets.colours
import trainers.{module}

PREC = "fp16"


def helper(node, value):
    node.SIZE = value


def extend_cfg(cfg):
    from yacs.config import CfgNode as CN

    cfg.TRAINER.{section} = CN()
    cfg.TRAINER.{section}.PREC = "fp16"
    helper(cfg.TRAINER.{section}, 3)
    cfg.OPTIM.LR = 0.125


if __name__ == "__main__":
    raise RuntimeError("nobody asked for a run")
"""


def trainer_source(name: str, extra: str = "", head: str = "", body: str = BODY) -> str:
    """A trainer of softmax regression on mean colours."""
    methods = textwrap.indent(textwrap.dedent(extra), "    ")
    return f"{HEADER}{head}\n\n@TRAINER_REGISTRY.register()\nclass {name}(TrainerX):\n{body}\n{methods}\n"


def write_repository(root: Path, name: str, *, module: str = "mine", extra: str = "", head: str = "") -> Path:
    """A repository with ``train.py``, ``trainers``, ``datasets`` and a ``clip`` of its own, which says its name."""
    files = {
        "train.py": TRAIN.format(module=module, section=name.upper()),
        "trainers/__init__.py": "",
        "trainers/helper.py": f"ORIGIN = {str(root)!r}\n",
        f"trainers/{module}.py": trainer_source(
            name,
            extra,
            f"from clip import clip\nfrom .helper import ORIGIN\nimport datasets.colours\n{head}",
        ),
        "datasets/__init__.py": "",
        "datasets/colours.py": DATASET.replace("NAME", f"{name}Colours"),
        "clip/__init__.py": "from .clip import *\n",
        "clip/clip.py": f"__all__ = ['origin']\norigin = {str(root)!r}\n",
        f"configs/trainers/{name}/slow.yaml": f"OPTIM:\n  MAX_EPOCH: 2\nTRAINER:\n  {name.upper()}:\n    PREC: fp32\n",
    }
    for file, content in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content)
    return root


DATASET = """
import os
import pickle
from dassl.data.datasets import DATASET_REGISTRY, Datum, DatasetBase
from dassl.utils import listdir_nohidden, mkdir_if_missing


@DATASET_REGISTRY.register()
class NAME(DatasetBase):
    dataset_dir = "colours"

    def __init__(self, cfg):
        root = os.path.abspath(os.path.expanduser(cfg.DATASET.ROOT))
        self.dataset_dir = os.path.join(root, self.dataset_dir)
        train, val, test = [], [], []
        for label, name in enumerate(["dark", "light"]):
            folder = os.path.join(self.dataset_dir, name)
            for number, file in enumerate(listdir_nohidden(folder, sort=True)):
                split = (train, train, train, train, val, val, test, test)[number]
                split.append(Datum(impath=os.path.join(folder, file), label=label, classname=name))
        shots = cfg.DATASET.NUM_SHOTS
        if shots >= 1:
            kept = os.path.join(self.dataset_dir, f"shot_{shots}-seed_{cfg.SEED}.pkl")
            if os.path.exists(kept):
                with open(kept, "rb") as file:
                    train, val = pickle.load(file)
            else:
                train = self.generate_fewshot_dataset(train, num_shots=shots)
                val = self.generate_fewshot_dataset(val, num_shots=min(shots, 4))
                with open(kept, "wb") as file:
                    pickle.dump((train, val), file, protocol=pickle.HIGHEST_PROTOCOL)
        super().__init__(train_x=train, val=val, test=test)
"""

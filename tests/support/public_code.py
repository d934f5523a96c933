"""Public trainers that are tried where copies of their repositories lie in the folder ``MVLPT_PUBLIC_CODE``.

Nothing of them is kept here: a table of names, files and options only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("MVLPT_PUBLIC_CODE", ""))
SIZE = ("INPUT.SIZE", "(32,32)", "DATALOADER.NUM_WORKERS", "0", "RUN.TENSORBOARD", "False", "RUN.THREADS", "1")
SIZE += ("DATASET.NUM_SHOTS", "2", "DATALOADER.TRAIN_X.BATCH_SIZE", "2", "OPTIM.MAX_EPOCH", "3")


FORK = {
    "obstacle": "trainers/prograd.py:382 calls prograd_backward_and_update, which only a fork of Dassl has",
    "evidence": "has no attribute 'prograd_backward_and_update'",
}
VISION = {
    "obstacle": "trainers/vision_benchmark/evaluation/feature.py:22 imports a constant that common/constants.py lacks",
    "evidence": "VISION_DATASET_STORAGE|vision_datasets",  # the second is a package that it needs before that line
}
LABELS = {
    "obstacle": "trainers/cocoop.py:177 iterates over the labels, which are None in evaluation",
    "evidence": "'NoneType' object is not iterable",
}


@dataclass(frozen=True)
class Public:
    """A public trainer.

    Attributes:
        repository: folder in ``MVLPT_PUBLIC_CODE`` that holds its ``train.py``.
        file: below ``trainers``.
        trainer: its name.
        config: its YAML file, below ``configs/trainers``; empty for none.
        options: further options, which make it compute in fp32.
        trains: it is no zero-shot trainer.
        obstacle: the line of its own that keeps it from running, if there is one.
        evidence: a pattern of what it then prints.
    """

    repository: str
    file: str
    trainer: str
    config: str = ""
    options: tuple[str, ...] = ()
    trains: bool = True
    obstacle: str = ""
    evidence: str = ""

    @property
    def root(self) -> Path:
        return FOLDER / self.repository

    @property
    def plugins(self) -> dict[str, Path]:
        """The three literal routes."""
        return {"file": self.root / "trainers" / self.file, "folder": self.root, "train.py": self.root / "train.py"}


def prec(*sections: str) -> tuple[str, ...]:
    return tuple(word for section in sections for word in (f"TRAINER.{section}.PREC", "fp32"))


BASE = ("DATASET.SUBSAMPLE_CLASSES", "base")  # its trainers train on base classes only
COCOOP = "CoCoOp/vit_b16_c4_ep10_batch1.yaml"
PROGRAD = (*prec("COOP"), "LOSS.NAME", "prograd")
PUBLIC = [
    Public("CoOp", "coop.py", "CoOp", "CoOp/vit_b16.yaml", prec("COOP")),
    Public("CoOp", "cocoop.py", "CoCoOp", COCOOP, prec("COCOOP")),
    Public("CoOp", "zsclip.py", "ZeroshotCLIP", "CoOp/vit_b16.yaml", trains=False),
    Public("CoOp", "zsclip.py", "ZeroshotCLIP2", "CoOp/vit_b16.yaml", trains=False),
    Public("MaPLe", "maple.py", "MaPLe", "MaPLe/vit_b16_c2_ep5_batch4_2ctx.yaml", prec("MAPLE")),
    Public("MaPLe", "independentVL.py", "IVLP", "IVLP/vit_b16_c2_ep5_batch4_2+2ctx.yaml", prec("IVLP")),
    Public("MaPLe", "vpt.py", "VPT", "VPT/vit_b16_c2_ep5_batch4_4.yaml", prec("VPT")),
    Public("PromptSRC", "promptsrc.py", "PromptSRC", "PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx.yaml", prec("PROMPTSRC")),
    Public("KgCoOp/KgCoOp", "kgcoop.py", "KgCoOp", "KgCoOp/vit_b16_ep100_ctxv1.yaml", prec("COOP")),
    Public("KgCoOp/KgCoOp", "coop.py", "CoOp", "KgCoOp/vit_b16_ep100_ctxv1.yaml", prec("COOP")),
    Public(
        "KgCoOp/KgCoOp",
        "prograd.py",
        "ProGrad",
        "KgCoOp/vit_b16_ep100_ctxv1.yaml",
        (*prec("COOP"), "LOSS.NAME", "prograd"),
        **FORK,
    ),
    Public("ProGrad/ProGrad.public", "prograd.py", "ProGrad", "ProGrad/rn50.yaml", prec("COOP"), **FORK),
    Public("TCP", "tcp.py", "TCP", "TCP/vit_b16_ep100_ctxv1.yaml", prec("COOP")),
    Public("TCP", "cocoop.py", "CoCoOp", "TCP/vit_b16_ep100_ctxv1.yaml", prec("COCOOP"), **LABELS),
    Public("CoPrompt", "coprompt.py", "CoPrompt", "coprompt.yaml", prec("CoPrompt")),
    Public("MVLPT", "mvlpt.py", "MVLPT", "MVLPT/vit_b16.yaml", ("TRAINER.MVLPT.PREC", "fp32"), **VISION),
    Public("MVLPT", "coop.py", "CoOp", "CoOp/vit_b16.yaml", prec("COOP"), **VISION),
    Public("DePT", "coop.py", "CoOp", "CoOp/vit_b16_ep10_bs4_lr35.yaml", prec("COOP")),
    Public("DePT", "kgcoop.py", "KgCoOp", "KgCoOp/vit_b16_ep10_ctxv1_bs4_lr35.yaml", prec("COOP")),
    Public("DePT", "maple.py", "MaPLe", "MaPLe/vit_b16_c2_ep10_batch4_2ctx.yaml", prec("MAPLE")),
    Public("DePT", "elp_coop.py", "ExtrasLinearProbeCoOp", "CoOp/vit_b16_ep10_bs4_lr35.yaml", (*prec("COOP"), *BASE)),
    Public(
        "DePT",
        "elp_cocoop.py",
        "ExtrasLinearProbeCoCoOp",
        "CoCoOp/vit_b16_c4_ep10_batch1_ctxv1.yaml",
        (*prec("COCOOP"), *BASE),
    ),
]

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
COPIES = {
    "obstacle": "trainers/rpo.py:177 writes into the text's embeddings, which its line 174 copies only to a GPU",
    "evidence": "backward through the graph a second time",
}
TEXTS = {
    "obstacle": "trainers/protext.py:294 reads batches of texts, which only its own fork of Dassl gives",
    "evidence": "KeyError: 'input_text'",
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
        weights: which of :data:`support.public_runs.WEIGHTS` stand in for CLIP's.
        files: which of :data:`support.public_files.FILES` it reads; it then runs in a folder that holds them.
        flags: of its own program.
        main: the program beside ``trainers`` that knows its options.
    """

    repository: str
    file: str
    trainer: str
    config: str = ""
    options: tuple[str, ...] = ()
    trains: bool = True
    obstacle: str = ""
    evidence: str = ""
    weights: str = "ViT"
    files: str = ""
    main: str = "train.py"
    flags: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        return FOLDER / self.repository

    @property
    def plugins(self) -> dict[str, Path]:
        """The three literal routes."""
        return {"file": self.root / "trainers" / self.file, "folder": self.root, "train.py": self.root / self.main}


def prec(*sections: str) -> tuple[str, ...]:
    return tuple(word for section in sections for word in (f"TRAINER.{section}.PREC", "fp32"))


BASE = ("DATASET.SUBSAMPLE_CLASSES", "base")  # its trainers train on base classes only
COCOOP = "CoCoOp/vit_b16_c4_ep10_batch1.yaml"
PROGRAD = (*prec("COOP"), "LOSS.NAME", "prograd")
MAPLE = "MaPLe/vit_b16_c2_ep5_batch4_2ctx.yaml"
DEPT = "DePT/vit_b16_ep10_bs4_lr35.yaml"
ATP = ("TRAINER.ATPROMPT.USE_ATPROMPT", "True")
WORDS = [(f"TRAINER.COOP.ATT{n}_TEXT", word) for n, word in enumerate(("energy", "size", "fur", "age", "mood"), 1)]
WORDS = (*(word for pair in WORDS for word in pair), "TRAINER.COOP.N_CTX", "2", "DATASET.NUM_SHOTS", "4")
DEVICE = ("--device", "cuda:0")
LARGE = ("INPUT.SIZE", "(224,224)")
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
    Public(
        "PromptKD",
        "promptkd.py",
        "PromptKD",
        "PromptKD/vit_b16_c2_ep20_batch8_4+4ctx.yaml",
        prec("PROMPTKD"),
        files="teacher",
    ),
    Public("ATPrompt", "coop_atp.py", "CoOp_ATP", "CoOp/vit_b16.yaml", (*prec("COOP"), *BASE, *ATP)),
    Public("ATPrompt", "cocoop_atp.py", "CoCoOp_ATP", COCOOP, (*prec("COCOOP"), *BASE, *ATP)),
    Public("ATPrompt", "maple_atp.py", "MaPLe_ATP", MAPLE, (*prec("MAPLE"), *BASE, *ATP)),
    Public("ATPrompt", "dept_atp.py", "DePT_ATP", DEPT, (*prec("COOP"), *BASE, *ATP)),
    Public("ATPrompt", "coop_anchoropt.py", "CoOp_AnchorOPT", "CoOp/vit_b16.yaml", (*prec("COOP"), *BASE)),
    Public("ATPrompt", "cocoop_anchoropt.py", "CoCoOp_AnchorOPT", COCOOP, (*prec("COCOOP"), *BASE)),
    Public("ATPrompt", "maple_anchoropt.py", "MaPLe_AnchorOPT", MAPLE, (*prec("MAPLE"), *BASE), files="anchors"),
    Public("ATPrompt", "dept_anchoropt.py", "DePT_AnchorOPT", DEPT, (*prec("COOP"), *BASE)),
    Public("ATPrompt", "coop_pretrain_anchor.py", "CoOp_Pretrain_Anchor", "CoOp/vit_b16.yaml", (*prec("COOP"), *BASE)),
    Public(
        "ATPrompt",
        "attributecompute.py",
        "AttributeCompute",
        "CoOp/vit_b16.yaml",
        (*prec("COOP"), *WORDS),
        main="train_select_attribute.py",
    ),
    Public("PLOT/plot-coop", "plot.py", "PLOT", "PLOT/rn50.yaml", prec("PLOT"), weights="RN50"),
    Public("PLOT/plot-pp", "plotpp.py", "PLOTPP", "PLOTPP/vit.yaml", prec("PLOTPP"), flags=DEVICE),
    Public("RPO", "rpo.py", "RPO", "RPO/main_K4.yaml", (*prec("RPO"), *LARGE), weights="ViT-224", **COPIES),
    Public("RPO", "linear_prob.py", "LP", "LP/vit_b16_c4_ep10_batch1.yaml", prec("LP")),
    Public("ProText", "protext.py", "ProText", "ProText/base2novel/oxford_pets.yaml", prec("PROTEXT"), **TEXTS),
    Public("ProText", "zsclip_cupl.py", "ZeroshotCLIP", "ProText/base2novel/oxford_pets.yaml", trains=False),
    Public("ProText", "zsclip_cupl.py", "ZeroshotCLIP2", "CoOp/vit_b16.yaml", trains=False),
]

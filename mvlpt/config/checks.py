"""Checks across the whole configuration, all problems reported together, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

from yacs.config import CfgNode

from mvlpt.errors import ConfigError, suggest

CHOICES = {
    "OPTIM.NAME": ("adam", "amsgrad", "sgd", "rmsprop", "radam", "adamw"),
    "OPTIM.LR_SCHEDULER": ("single_step", "multi_step", "cosine", "constant"),
    "OPTIM.WARMUP_TYPE": ("constant", "linear"),
    "TEST.FINAL_MODEL": ("last_step", "best_val"),
    "TEST.SPLIT": ("val", "test"),
    "TRAIN.COUNT_ITER": ("train_x", "train_u", "smaller_one"),
    "INPUT.TEST_CROP": ("task", "center", "squash"),
    "DATASET.SUBSAMPLE_CLASSES": ("all", "base", "new"),
    "DATASET.ON_BAD_IMAGE": ("error", "skip"),
    "DATASET.SOURCE": ("auto", "official", "torchvision", "folder"),
    "DATASET.SAMPLING": ("independent", "elevater", "mvlpt", "coop"),
    "DATALOADER.TASK_BATCHES": ("mixed", "single"),
    "DATALOADER.TASK_SAMPLING": ("proportional", "uniform", "temperature"),
    "TRAINER.COOP.CLASS_TOKEN_POSITION": ("end", "middle", "front"),
    "TRAINER.MVLPT.COOP.CLASS_TOKEN_POSITION": ("end", "middle", "front"),
    "TRAINER.MVLPT.PROJECT_METHOD": ("transformer", "mlp", "identity"),
    "TRAINER.COOP.PREC": ("fp32", "fp16", "bf16", "amp"),
    "TRAINER.COCOOP.PREC": ("fp32", "fp16", "bf16", "amp"),
    "TRAINER.MVLPT.PREC": ("fp32", "fp16", "bf16", "amp"),
    "TRAINER.MVLPT.COCOOP.PREC": ("fp32", "fp16", "bf16", "amp"),
    "RUN.ARM": ("", "zero_shot", "single", "all", "grouped", "pair", "transfer"),
    "RUN.MODE": ("train", "eval", "build", "features"),
}
AT_LEAST = {
    "OPTIM.MAX_EPOCH": 1,
    "OPTIM.LR": 0,
    "OPTIM.WEIGHT_DECAY": 0,
    "DATALOADER.TRAIN_X.BATCH_SIZE": 1,
    "DATALOADER.TRAIN_U.BATCH_SIZE": 1,
    "DATALOADER.TEST.BATCH_SIZE": 1,
    "DATALOADER.NUM_WORKERS": 0,
    "DATALOADER.K_TRANSFORMS": 1,
    "DATALOADER.VIEWS": 0,
    "DATALOADER.EPOCH_STEPS": 0,
    "DATALOADER.CACHE_MB": 0,
    "DATALOADER.FEATURE_CACHE_MB": 0,
    "TRAIN.CHECKPOINT_FREQ": 0,
    "TRAINER.MVLPT.COOP.N_CTX": 0,
    "TRAINER.MVLPT.VPT.N_CTX": 0,
    "TRAINER.MVLPT.COCOOP.N_CTX": 0,
    "TRAINER.COOP.N_CTX": 1,
    "TRAINER.COCOOP.N_CTX": 1,
    "TRAINER.MVLPT.PROJECT_DIM": 1,
    "RUN.SAVE_EVERY": 0,
    "RUN.INIT_EPOCH": 0,
    "RUN.THREADS": 0,
    "RUN.MICRO_BATCHES": 1,
}


def check_config(cfg: CfgNode) -> None:
    """Checks values against each other and against what is allowed.

    Raises:
        ConfigError: one sentence that lists every problem found.
    """
    problems = list(_problems(cfg))
    if problems:
        raise ConfigError("The configuration cannot be used: " + "; ".join(problems))


def task_names(cfg: CfgNode) -> list[str]:
    """The tasks a run is about, in the order given: ``DATASET.DATASET``, or else ``DATASET.NAME``, cut at commas."""
    return [name.strip() for name in (cfg.DATASET.DATASET or cfg.DATASET.NAME).split(",") if name.strip()]


def _value(cfg: CfgNode, key: str) -> object:
    node = cfg
    for part in key.split("."):
        node = node[part]
    return node


def _problems(cfg: CfgNode) -> Iterator[str]:
    for key, choices in CHOICES.items():
        value = _value(cfg, key)
        if value not in choices:
            yield f"{key} is '{value}'{suggest(str(value), [choice for choice in choices if choice])}"
    for key, least in AT_LEAST.items():
        value = _value(cfg, key)
        if value < least:
            yield f"{key} is {value}, but must be at least {least}"
    shots = cfg.DATASET.NUM_SHOTS
    if shots == 0 or shots < -1:
        yield f"DATASET.NUM_SHOTS is {shots}; give a positive number of images per class, or -1 for all"
    if cfg.DATASET.MERGE_VAL and cfg.DATASET.SAMPLING not in ("elevater", "mvlpt"):
        yield "DATASET.MERGE_VAL needs DATASET.SAMPLING elevater or mvlpt, which cut a fifth off for validation"
    if len(cfg.INPUT.SIZE) != 2 or min(cfg.INPUT.SIZE) < 1:
        yield f"INPUT.SIZE is {cfg.INPUT.SIZE}; give height and width in pixels, for instance (224, 224)"
    if cfg.DATALOADER.TASK_TEMPERATURE <= 0:
        yield f"DATALOADER.TASK_TEMPERATURE is {cfg.DATALOADER.TASK_TEMPERATURE}, but must be above 0"
    names = task_names(cfg)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"task '{name}' is named {names.count(name)} times; name every task once"
    evaluation_key = cfg.DATASET.MULTITASK_EVALKEY
    paths = any("/" in name or name.endswith((".yaml", ".yml")) for name in names)  # their tasks' names stand inside
    if names and not paths and evaluation_key not in ("average", *names):
        yield f"DATASET.MULTITASK_EVALKEY is '{evaluation_key}'{suggest(evaluation_key, ['average', *names])}"

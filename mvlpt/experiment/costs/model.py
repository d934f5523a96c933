"""Estimates what a run costs: floating-point work, optimiser steps and images, converted to seconds and memory.

``seconds = start + steps x step + batches x batch + images x image + FLOPs / rate``. The five rates are those of a
device and backbone; :mod:`mvlpt.experiment.costs.calibrate` measures them. A forward pass through a transformer of L
layers and width D takes ``L n (24 D^2 + 4 n D)`` for n tokens; going back through it to a prompt costs as much again,
as its weights get no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.data.loading import is_random
from mvlpt.data.sampling import PseudoLabelOptions, round_sizes
from mvlpt.experiment.costs.sizes import Architecture, TaskSize, Tower, architecture, task_size
from mvlpt.experiment.costs.tuning import Tuning, tuning_of

NAME_TOKENS = 5  # a class name, its full stop and the end token
BACKWARD = 1.0  # of a forward pass, down to the prompt
ACTIVATIONS = 22  # values a token, layer and unit of width that a backward pass keeps: projections, MLP, norms
FIXED_MB = 350.0  # of a process: Python, torch and other libraries
MB = 2**20


@dataclass(frozen=True)
class Work:
    """The work of a run.

    Attributes:
        flops: floating-point operations.
        steps: optimiser steps.
        batches: evaluation batches.
        images: images that are read and decoded.
        memory_mb: peak memory, MiB.
    """

    flops: float = 0.0
    steps: int = 0
    batches: int = 0
    images: int = 0
    memory_mb: float = 0.0


@dataclass(frozen=True)
class Rates:
    """Speed of a device with a backbone.

    Attributes:
        flops: floating-point operations a second.
        step: seconds that a training step costs beyond its FLOPs: launching its operations, the optimiser, the log.
        batch: the same of an evaluation batch.
        image: seconds to read and transform an image.
        start: seconds before the first step and after the last, in a process that has loaded its backbone.
        source: ``default``, or where they were measured.
    """

    flops: float = 8e10
    step: float = 0.006
    batch: float = 0.02
    image: float = 0.001
    start: float = 0.15
    source: str = "default"


@dataclass
class CostModel:
    """Estimates of seconds and memory.

    Attributes:
        rates: of the device, by backbone name; :class:`Rates`' own for others.
    """

    rates: Mapping[str, Rates] = field(default_factory=dict)

    def of_run(
        self, cfg: CfgNode, kind: str, features_kept: bool = False, tuning: Tuning | None = None
    ) -> tuple[float, float]:
        """Seconds and MiB of a run.

        Args:
            cfg: its resolved configuration.
            kind: of the job.
            features_kept: the features of the test images are on disk.
            tuning: what its trainer tunes, where that is known already.
        """
        work = work_of(cfg, kind, features_kept, tuning)
        return self.seconds(work, cfg.MODEL.BACKBONE.NAME), work.memory_mb

    def seconds(self, work: Work, backbone: str) -> float:
        """Seconds that the work takes."""
        rates = self.rates.get(backbone, Rates())
        known = rates.start + work.steps * rates.step + work.batches * rates.batch + work.images * rates.image
        return known + work.flops / rates.flops


def training_images(sizes: list[TaskSize], shots: int) -> list[int]:
    """Training images of each task."""
    return [min(size.images.train, shots * size.classes) if shots > 0 else size.images.train for size in sizes]


def images_by_round(cfg: CfgNode, sizes: list[TaskSize]) -> list[list[int]]:
    """Training images of each task in each round of pseudo-labels; one round where images have labels."""
    images, options = training_images(sizes, cfg.DATASET.NUM_SHOTS), PseudoLabelOptions.of(cfg)
    if options.used:
        labelled = images if cfg.DATASET.NUM_SHOTS > 0 else [0] * len(sizes)
        unlabelled = [size.images.train - count for size, count in zip(sizes, labelled, strict=True)]
        return round_sizes(options, unlabelled, [size.classes for size in sizes], labelled)
    if cfg.DATASET.FOLDS:  # one of them is left out
        images = [max(1, count - count // cfg.DATASET.FOLDS) for count in images]
    return [images]


def tested_images(cfg: CfgNode, sizes: list[TaskSize]) -> int:
    """Images that a run tests its prompt on; with folds at most all training images."""
    if cfg.DATASET.FOLDS:
        return sum(training_images(sizes, cfg.DATASET.NUM_SHOTS))
    return sum(_tested(size, cfg) for size in sizes)


def steps_of(cfg: CfgNode, images: list[int]) -> int:
    """Optimiser steps of a run over tasks with so many training images each."""
    loader, batch = cfg.DATALOADER, cfg.DATALOADER.TRAIN_X.BATCH_SIZE

    def batches_of(count: int) -> int:
        return count // batch or min(count, 1)

    per_epoch = sum(map(batches_of, images)) if loader.TASK_BATCHES == "single" else batches_of(sum(images))
    return cfg.OPTIM.MAX_EPOCH * (loader.EPOCH_STEPS or per_epoch)


def work_of(cfg: CfgNode, kind: str, features_kept: bool = False, tuning: Tuning | None = None) -> Work:
    """The work of one run; arguments as :meth:`CostModel.of_run`'s."""
    sizes = [task_size(name, cfg) for name in task_names(cfg)]
    shape = architecture(cfg.MODEL.BACKBONE.NAME or "ViT-B-16", cfg.INPUT.SIZE[0])
    tuning = tuning or tuning_of(cfg)
    tested = 0 if cfg.TEST.NO_TEST else tested_images(cfg, sizes)
    encoded = 0 if features_kept and not tuning.image else tested
    one_image = shape.image.flops(shape.image.tokens + tuning.prompt.image_tokens)
    classes = sum(size.classes for size in sizes)
    templates = max(size.templates for size in sizes) if kind == "evaluate" else 1
    flops = encoded * tuning.test_views * one_image + classes * templates * _one_class(shape, tuning)
    flops += tested * tuning.test_passes * classes / len(sizes) * _one_class(shape, tuning)
    batch = cfg.DATALOADER.TEST.BATCH_SIZE
    batches = math.ceil(tested / batch)
    weights = FIXED_MB + 4 * shape.parameters / MB
    testing = _kept(shape.image, batch, shape.image.tokens, layers=2)
    if kind in ("evaluate", "features") or tuning.test_passes:
        return Work(flops, 0, batches, encoded, weights + testing)
    trained = _training(cfg, sizes, shape, tuning)
    # recorded passes hold their memory while the run validates
    both = cfg.TEST.FINAL_MODEL == "best_val" and cfg.TRAINER.CUDA_GRAPHS
    peak = trained.memory_mb + testing if both else max(trained.memory_mb, testing)
    return Work(
        flops=flops + trained.flops,
        steps=trained.steps,
        batches=batches + trained.batches,
        images=encoded + trained.images,
        memory_mb=weights + peak,
    )


def _tested(size: TaskSize, cfg: CfgNode) -> int:
    """Images of a task that a run is tested on; of those for validation at most four a class are drawn."""
    shots = cfg.DATASET.NUM_SHOTS
    if cfg.TEST.SPLIT != "val":
        return size.images.test
    return min(size.images.val, min(shots, 4) * size.classes) if shots > 0 else size.images.val


def _training(cfg: CfgNode, sizes: list[TaskSize], shape: Architecture, tuning: Tuning) -> Work:
    """Training and validation; its memory is that of activations alone."""
    rounds = images_by_round(cfg, sizes)
    steps, epochs = sum(steps_of(cfg, images) for images in rounds), cfg.OPTIM.MAX_EPOCH * len(rounds)
    batch = min(cfg.DATALOADER.TRAIN_X.BATCH_SIZE, max(*(sum(images) for images in rounds), 1))
    image_tokens = shape.image.tokens + tuning.prompt.image_tokens
    one_image, one_class = shape.image.flops(image_tokens), _one_class(shape, tuning)
    drawn = bool(cfg.INPUT.TRANSFORMS) and is_random(cfg.INPUT.TRANSFORMS) and not cfg.INPUT.NO_TRANSFORM
    views = cfg.DATALOADER.VIEWS if drawn else 1
    every, passes_over = _unlabelled(cfg, sizes, tuning, drawn)
    encodings = (every or sum(rounds[0])) * views or cfg.OPTIM.MAX_EPOCH * sum(map(sum, rounds))  # each view once
    labelled_by_model = every * passes_over
    seen = steps * batch
    steps, batch = steps * tuning.inner_steps, min(batch, tuning.inner_batch or batch)
    # Once an epoch the gradient norm of each task in a mixed batch is measured, by a backward pass through the batch.
    norms = epochs * len(sizes) if len(sizes) > 1 and cfg.DATALOADER.TASK_BATCHES == "mixed" else 0
    passes = steps * (1 + BACKWARD) + norms * BACKWARD
    taught = steps if tuning.teacher else 0  # a teacher encodes images in every step, class prompts once
    flops = (passes + taught) * batch * one_image if tuning.image else encodings * one_image
    flops += labelled_by_model * one_image
    classes = _classes_a_step(cfg, sizes)
    per_step = classes * (batch if tuning.per_image else 1)
    flops += passes * per_step * one_class if tuning.text else 0
    taught_classes = taught * per_step if tuning.per_image else sum(size.classes for size in sizes)
    flops += taught_classes * one_class if tuning.teacher and tuning.text else 0
    validated = (
        sum(min(size.images.val, 4 * size.classes) for size in sizes) if cfg.TEST.FINAL_MODEL == "best_val" else 0
    )
    flops += validated * one_image * (epochs if tuning.image else 1)
    flops += epochs * sum(size.classes for size in sizes) * one_class if validated and tuning.text else 0
    memory = _kept(shape.image, batch, image_tokens) if tuning.image else 0.0
    memory += _kept(shape.text, per_step, _class_tokens(tuning)) if tuning.text else 0.0
    batches = epochs * math.ceil(validated / cfg.DATALOADER.TEST.BATCH_SIZE)
    read = encodings if views or not tuning.image else seen
    return Work(flops, steps, batches, read + labelled_by_model + validated, memory / cfg.RUN.MICRO_BATCHES)


def _unlabelled(cfg: CfgNode, sizes: list[TaskSize], tuning: Tuning, drawn: bool) -> tuple[int, int]:
    """All training images where pseudo-labels choose among them, else 0; and how often they are read for that."""
    options = PseudoLabelOptions.of(cfg)
    if not options.used:
        return 0, 0
    again = options.num_rounds if tuning.image else int(drawn)  # a frozen tower's features are those of training
    return sum(size.images.train for size in sizes), again


def _classes_a_step(cfg: CfgNode, sizes: list[TaskSize]) -> float:
    """Class prompts that a step encodes: all of them, or those of the one task in the batch."""
    counts = [size.classes for size in sizes]
    alone = cfg.DATASET.MULTITASK_LABEL_PERTASK and cfg.DATALOADER.TASK_BATCHES == "single"
    return sum(counts) / len(counts) if alone else sum(counts)


def _class_tokens(tuning: Tuning) -> int:
    """Tokens of a class prompt; the tower runs only up to the longest one in use."""
    return 1 + tuning.prompt.text_tokens + NAME_TOKENS


def _one_class(shape: Architecture, tuning: Tuning) -> float:
    return shape.text.flops(min(_class_tokens(tuning), shape.text.tokens))


def _kept(tower: Tower, inputs: float, tokens: float, layers: int = 0) -> float:
    """MiB of activations that so many inputs leave in so many layers, by default all, in fp32."""
    return 4 * inputs * (tokens or 50) * tower.width * (layers or tower.layers) * ACTIVATIONS / MB

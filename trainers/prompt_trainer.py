"""The trainer that all prompt methods share; ``mvlpt.models.prompts`` holds the methods."""

from __future__ import annotations

import logging
import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.engine import origin_of
from mvlpt.engine.optim import EpochSchedule, build_lr_scheduler, build_optimizer
from mvlpt.errors import PromptError, TrainingError
from mvlpt.models import (
    TEXT_CHUNK,
    ComputeOptimisations,
    Outputs,
    build_prompted_clip,
    hidden_options,
    load_prompt_state,
    save_prompt,
)
from mvlpt.models.prompts import PromptMethod, prompt_method
from mvlpt.randomness import derive_seed
from mvlpt.trainers.distillation import Distillation, check_distillation, distils
from mvlpt.trainers.frozen_clip import TaskInput, used_tasks
from mvlpt.trainers.losses import correct, prompt_losses
from mvlpt.trainers.pseudo_labelling import PseudoLabelTrainer
from mvlpt.trainers.reptile import Reptile, check_meta, inner_steps
from mvlpt.trainers.task_meter import TaskMeter

log = logging.getLogger(__name__)


class PromptTrainer(PseudoLabelTrainer):
    """Tunes a prompt of a frozen CLIP on one task or many.

    A subclass names a registered prompt method and the sections of the configuration that it reads. The trained part is
    registered as ``prompt_learner``, which names its folder of checkpoints.
    """

    method = "coop"
    prompt_section = "MVLPT.COOP"  # of TRAINER: the method's options
    section = "MVLPT"  # of TRAINER: the one with PREC; empty: fp32

    @classmethod
    def choose_method(cls, cfg: CfgNode) -> tuple[str, str]:
        """The name of the method, and the section of ``TRAINER`` that holds its options."""
        return cls.method, cls.prompt_section

    @classmethod
    def planned_prompt(cls, cfg: CfgNode) -> tuple[PromptMethod, Any]:
        """The method and its checked options, known before any data or model: the cost of a run follows from them.

        Raises:
            PromptError: there is no such method, or the options do not fit.
        """
        method = prompt_method(cls.choose_method(cfg)[0])
        if cls.private_rank(cfg) and method.conditional:
            raise PromptError(
                f"TRAINER.MVLPT.PRIVATE.RANK must be 0 for '{method.name}', whose prompts every image has"
            )
        unbuilt = cls.__new__(cls)  # options follow from the configuration alone
        return method, method.make_options(**unbuilt.prompt_options(cfg))

    @classmethod
    def planned_passes(cls, cfg: CfgNode) -> dict[str, Any]:
        """What the cost of a step depends on besides the prompt: whether there is a teacher, and the inner steps.

        Raises:
            ConfigError: the trainer cannot do either with these options.
        """
        check_distillation(cfg, cls.section, planned=True)
        check_meta(cfg, cls.section)
        steps = inner_steps(cfg, cls.section)
        inner = {"inner_steps": steps, "inner_batch": cfg.TRAINER.MVLPT.META.BATCH} if steps else {}
        return {"teacher": distils(cfg, cls.section), **inner}

    @classmethod
    def private_rank(cls, cfg: CfgNode) -> int:
        """The rank of the tasks' private parts; 0 for trainers that do not read ``TRAINER.MVLPT``."""
        return cfg.TRAINER.MVLPT.PRIVATE.RANK if cls.section == "MVLPT" else 0

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses distillation and inner steps that cannot be, before anything is built."""
        super().check_cfg(cfg)
        check_distillation(cfg, self.section)
        check_meta(cfg, self.section)

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """The options of the prompt, as :func:`mvlpt.models.build_prompted_clip` takes them."""
        name, path = self.choose_method(cfg)
        section = cfg.TRAINER
        for part in path.split("."):
            section = section[part]
        return prompt_method(name).read_section(section)

    def build_model(self) -> None:
        """Attaches a prompt to the backbone; makes its optimiser and schedule."""
        cfg = self.cfg
        method, precision = self.choose_method(cfg)[0], self._precision()
        if self.section and (wanted := cfg.TRAINER[self.section].PREC) != precision:
            log.warning("TRAINER.%s.PREC %s needs a GPU; this run computes in fp32", self.section, wanted)
        self.backbone = self.load_backbone("fp32" if precision == "amp" else precision)
        chunk = {"text_chunk": TEXT_CHUNK // cfg.TRAINER.ACT_CKPT} if cfg.TRAINER.ACT_CKPT > 1 else {}
        self.model = build_prompted_clip(
            self.backbone,
            [name for task in self.dm.tasks for name in task.classnames],
            method=method,
            task_ranges=[(task.start, task.stop) for task in self.dm.tasks],
            label_space="per_task" if cfg.DATASET.MULTITASK_LABEL_PERTASK else "joint",
            legacy=cfg.TRAINER.LEGACY,
            optimisations=ComputeOptimisations(replay=cfg.TRAINER.CUDA_GRAPHS),
            seed=derive_seed("prompt", method, cfg.SEED),
            private_rank=self.private_rank(cfg),
            task_names=[task.name for task in self.dm.tasks],
            **self.prompt_options(cfg),
            **chunk,
        )
        self.trains_images = self.model.trains_image
        self._autocast = torch.float16 if precision == "amp" else None
        self._outputs = torch.compile(self.model.outputs) if cfg.TRAINER.COMPILE else self.model.outputs
        self._build_optimizer()
        self.register_model("prompt_learner", self.model.prompt_learner, self.optim, self.sched)
        self.task_meter = TaskMeter([task.name for task in self.dm.tasks], self.device)
        options, parameters = cfg.TRAINER.MVLPT, self.model.prompt_learner.parameters()
        self.distillation = Distillation(self.model, options.DISTILL) if distils(cfg, self.section) else None
        self.reptile = Reptile(options.META, parameters) if inner_steps(cfg, self.section) else None

    def before_train(self) -> None:
        """Takes the prompt that the run starts from as the teacher's, before an earlier part of the run is resumed."""
        if self.distillation is not None:
            self.distillation.begin()
        super().before_train()

    def _build_optimizer(self) -> None:
        """An optimiser, its schedule and the gradient scaler, which have made no step."""
        self.scaler = torch.amp.GradScaler(self.device.type) if self._precision() in ("fp16", "amp") else None
        self.optim = build_optimizer(self.model.prompt_learner, self.cfg.OPTIM, self._parameter_groups())
        self.sched = self.build_schedule(self.optim)

    def start_again(self, initial: dict[str, torch.Tensor]) -> None:
        """Puts the initial prompt back, with an optimiser and a schedule that have made no step."""
        self.model.prompt_learner.load_state_dict(initial)
        self._build_optimizer()
        self._optims["prompt_learner"], self._scheds["prompt_learner"] = self.optim, self.sched

    def build_schedule(self, optimizer: torch.optim.Optimizer) -> EpochSchedule:
        """The learning rates of the run; by default those of the ``OPTIM`` section."""
        return build_lr_scheduler(optimizer, self.cfg.OPTIM)

    def _parameter_groups(self) -> list[dict[str, Any]] | None:
        """The shared prompt, and the private parts at a learning rate of their own; ``None`` without private parts.

        Private parts do not decay: their random side would, before the other side has left zero.
        """
        learner = self.model.prompt_learner
        if learner.private is None:
            return None
        private = list(learner.private.parameters())
        own = {id(parameter) for parameter in private}
        shared = [parameter for parameter in learner.parameters() if id(parameter) not in own]
        rate = self.cfg.OPTIM.LR * self.cfg.TRAINER.MVLPT.PRIVATE.LR_MULT
        return [{"params": shared}, {"params": private, "lr": rate, "weight_decay": 0.0}]

    def forward_backward(self, batch: dict[str, Any] | tuple[TaskInput, torch.Tensor]) -> dict[str, float]:
        """One step of the optimiser, or the inner steps of Reptile; the schedule moves on after an epoch's last batch.

        ``RUN.MICRO_BATCHES`` parts of the batch add up their gradients one after the other, so that memory holds one.

        Args:
            batch: of the loader; or inputs and labels, for an inner step.

        Returns:
            The mean loss and the accuracy in percent.
        """
        inner = isinstance(batch, tuple)
        input, label = batch if inner else self.parse_batch_train(batch)
        if self.reptile is not None and not inner:
            epochs = self.cfg.OPTIM.MAX_EPOCH  # a round of pseudo-labels has as many
            summary = self.reptile.outer_step(self.forward_backward, input, label, self.epoch % epochs / epochs)
            self._end_step()
            return summary
        self._tasks_in_batch = input.task
        self.model_zero_grad()
        loss, hits, several = 0.0, 0.0, len(self.dm.tasks) > 1
        size = math.ceil(len(label) / self.cfg.RUN.MICRO_BATCHES)
        for start in range(0, len(label), size):
            part, truth = input[start : start + size], label[start : start + size]
            with self._precision_context():
                outputs = self._forward(part)
                taught = self.distillation.teach(part) if self.distillation is not None else None
            losses = self.losses(outputs, truth)
            if taught is not None:
                losses = losses + self.distillation.losses(outputs.logits, taught)
            part_loss = losses.sum() / len(label)
            part_hits = correct(outputs.logits.detach(), truth)
            if several:
                self.detect_anomaly(part_loss)
                self.task_meter.update(losses, part_hits, part.task)
                self.task_meter.measure_gradients(losses, part.task, self.model.prompt_learner.parameters())
            self.model_backward(part_loss)
            loss, hits = loss + part_loss.detach(), hits + part_hits.sum()
            del part, outputs, losses, part_loss  # or the next part would need its memory beside theirs
        self.model_update()
        if several:
            self.task_meter.read_gradients(input.task, self.model.prompt_learner.parameters())
        if not inner:
            self._end_step()
        return {"loss": float(loss), "acc": 100 * float(hits) / len(label)}

    def losses(self, outputs: Outputs, label: torch.Tensor) -> torch.Tensor:
        """The loss of every image (B,); a method that also regularises its prompt overrides this and adds its term.

        Args:
            outputs: logits, and the features they come from.
            label: class ids (B,), or multi-hot rows (B, K).
        """
        return prompt_losses(outputs.logits, label)

    def after_epoch(self) -> None:
        """Logs loss, accuracy and gradient norm of each task, then validates and saves."""
        summary = self.task_meter.summary()
        self.epoch_log.add_tasks(summary)
        for name, values in summary.items():
            log.debug("epoch %d, %s: %s", self.epoch + 1, name, ", ".join(f"{k} {v:.4g}" for k, v in values.items()))
            for key, value in values.items():
                self.write_scalar(f"train/{name}/{key}", value, self.epoch)
        self.task_meter.reset()
        super().after_epoch()

    def after_train(self) -> None:
        """As Dassl's; the memory of recorded training passes becomes free for the test."""
        self.model.release()
        super().after_train()

    def model_backward(self, loss: torch.Tensor) -> None:
        """As Dassl's, with the gradient scaler where half precision needs one."""
        self.detect_anomaly(loss)
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def model_update(self, names: Any = None) -> None:
        """As Dassl's, with the gradient scaler where half precision needs one."""
        if self.scaler is None:
            super().model_update(names)
            return
        self.scaler.step(self.optim)
        self.scaler.update()

    def model_inference(self, input: TaskInput) -> torch.Tensor:
        """Scores (B, K) over the union of classes."""
        with self._precision_context():
            return self._forward(input).logits

    @property
    def class_bound(self) -> bool:
        """Whether the prompt belongs to its classes: each has contexts, or other parameters, of its own."""
        return self.model.layout.class_specific or self.model.prompt_learner.class_bound

    @property
    def prompt_layout(self) -> dict[str, Any]:
        """Options that a prompt's shapes do not show."""
        return hidden_options(self.model.options)

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Image features (B, D) of length one, with the visual prompt, if there is one."""
        with self._precision_context():
            return self.model.image_features(images)

    def export_model(self) -> None:
        """Writes the tuned prompt for use outside this framework."""
        self.export_prompt(Path(self.output_dir) / "prompt.safetensors")

    def export_prompt(self, path: Path) -> None:
        """Writes the prompt with a header that says what it belongs to."""
        record = origin_of(self).as_record()
        save_prompt(
            path,
            self.model,
            tasks=[task.as_record() for task in self.dm.tasks],
            extra={
                "trainer": self.cfg.TRAINER.NAME,
                "shots": self.cfg.DATASET.NUM_SHOTS,
                "seed": self.cfg.SEED,
                **{key: record[key] for key in ("class_bound", "precision", "preprocessing", "sampling")},
            },
        )

    def load_model_state(self, name: str, state: dict[str, torch.Tensor], origin: str) -> None:
        """Loads prompts of this framework and of the paper's code; explains what does not fit."""
        load_prompt_state(self.model.prompt_learner, state, source=origin)

    def detect_anomaly(self, loss: torch.Tensor) -> None:
        """As Dassl's, and names the tasks in the batch."""
        try:
            super().detect_anomaly(loss)
        except TrainingError as error:
            names = ", ".join(self.dm.tasks[i].name for i in used_tasks(self._tasks_in_batch))
            raise TrainingError(f"{error}; tasks in the batch: {names}") from None

    def _forward(self, input: TaskInput) -> Outputs:
        if input.features is not None:
            return self.model.outputs_of_features(input.features, task=input.task)
        return self._outputs(input.images, task=input.task)

    def _precision(self) -> str:
        """``fp32``, ``bf16``, ``fp16`` or ``amp``; halves need a GPU and fall back to fp32 without one."""
        wanted = self.cfg.TRAINER[self.section].PREC if self.section else "fp32"
        return "fp32" if wanted in ("fp16", "amp") and self.device.type == "cpu" else wanted

    def _precision_context(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=self._autocast) if self._autocast else nullcontext()

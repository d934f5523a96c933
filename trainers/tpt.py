"""TPT: a text prompt that is tuned on each test image alone, and forgotten after it.

Shapes: B images, V views, K classes of a task, P contexts, D width of features.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from yacs.config import CfgNode

from mvlpt.data.loading import random_views
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import confident_views, entropy_of_mean
from mvlpt.models.prompts import Prompts
from mvlpt.randomness import torch_stream
from mvlpt.runtime import counting
from mvlpt.trainers.frozen_clip import TaskInput, used_tasks
from mvlpt.trainers.prompt_trainer import PromptTrainer

LOSS_SCALE = 1000.0  # in half precision, as in the authors' code


@TRAINER_REGISTRY.register()
class TPT(PromptTrainer):
    """Test-time prompt tuning (Shu et al., NeurIPS 2022, arXiv 2209.07511, section 3.2).

    Of an image and its random views, the share whose predictions are the most certain is kept; AdamW makes a step on
    the contexts that lowers the entropy of their mean prediction; the image itself is classified by the prompt that
    results, and the next image starts from the first prompt again: ``CTX_INIT``, or a tuned one (``--model-dir``).

    Nothing is trained before the test. Views are cut out of the prepared image, not of the file, and their random
    numbers depend on the seed and the pixels alone: a prediction is the same in any batch, and in ``mvlpt predict``.
    Options under ``TRAINER.TPT``.
    """

    method = "coop"
    section = prompt_section = "TPT"
    moved: Any = None  # called after every image of an evaluation

    @classmethod
    def planned_passes(cls, cfg: CfgNode) -> dict[str, int]:
        """Views of every test image, and passes of its class prompts through the text tower."""
        return {"test_views": cfg.TRAINER.TPT.VIEWS, "test_passes": 2 * cfg.TRAINER.TPT.STEPS + 1}

    def build_model(self) -> None:
        """The prompt that every image starts from; test images stay images, since they are cropped."""
        super().build_model()
        self.trains_images = True

    def train(self) -> None:
        """Saves the start and evaluates: there is nothing to train."""
        self.final_epoch = 1
        self.save_model(0, self.output_dir)
        if not self.cfg.TEST.NO_TEST:
            self.test()

    def export_model(self) -> None:
        """Writes no prompt file: no prompt computes what this does."""

    def evaluation_batches(self, split: str) -> Iterator[dict[str, Any]]:
        """The batches of a split, and a bar that moves with every image."""
        loader = super().evaluation_batches(split)
        if loader is None:
            return
        total, done = len(loader.data_source), 0
        with counting(f"tuning on {split} images", shown=self.cfg.VERBOSE) as progress:

            def move() -> None:
                nonlocal done
                done += 1
                progress(done, total)

            self.moved = move
            yield from loader
            self.moved = None

    def model_inference(self, input: TaskInput) -> Tensor:
        """Scores (B, K) by a prompt for each image; ``-inf`` for the classes of other tasks."""
        scores = torch.full((len(input.task), self.num_classes), -torch.inf, device=self.device)
        with torch.inference_mode(False), torch.enable_grad():
            for number in used_tasks(input.task):
                task = self.dm.tasks[number]
                classes = list(range(task.start, task.stop))
                start = self.model.prompt_learner.ctx.detach().clone().requires_grad_()
                with self._precision_context():
                    texts = self.model.encode_prompts(Prompts(text=start), classes)
                for row in (input.task == number).nonzero()[:, 0].tolist():
                    features = self._features_of_views(input.images[row])
                    tuned = self._tuned_texts(features, start, texts, classes)
                    scores[row, task.start : task.stop] = self._products(features[:1], tuned)[0]
                    if self.moved is not None:
                        self.moved()
        return scores

    @torch.no_grad()
    def _features_of_views(self, image: Tensor) -> Tensor:
        """(V, D) of length one, of the image (3, H, W) itself and its random views."""
        stream = torch_stream("test-time views", max(self.cfg.SEED, 0), zlib.crc32(image.cpu().numpy().tobytes()))
        node = self.cfg.INPUT
        count = self.cfg.TRAINER.TPT.VIEWS - 1
        views = random_views(image, count, stream, scale=tuple(node.RRCROP_SCALE), interpolation=node.INTERPOLATION)
        return self.encode_images(torch.cat([image[None], views]))

    def _tuned_texts(self, features: Tensor, start: Tensor, texts: Tensor, classes: list[int]) -> Tensor:
        """Text features (K, D) after the steps on one image.

        Args:
            features: (V, D) of its views.
            start: (P, Dt) the contexts that it starts from.
            texts: (K, D) of the same, with their graph, which all images of a batch share.
            classes: of its task.
        """
        options, scale = self.cfg.TRAINER.TPT, LOSS_SCALE if self.scaler is not None else 1.0
        contexts = start.detach().clone()
        optimizer = torch.optim.AdamW([contexts], lr=options.LR, weight_decay=options.WEIGHT_DECAY)
        leaf, kept = start, None
        for step in range(options.STEPS):
            if step:
                leaf = contexts.detach().requires_grad_()
                with self._precision_context():
                    texts = self.model.encode_prompts(Prompts(text=leaf), classes)
            logits = self._products(features, texts)
            kept = confident_views(logits.detach(), options.CONFIDENT) if kept is None else kept
            loss = scale * entropy_of_mean(logits[kept])
            contexts.grad = torch.autograd.grad(loss, leaf, retain_graph=step == 0)[0] / scale
            optimizer.step()
        with torch.no_grad(), self._precision_context():
            return self.model.encode_prompts(Prompts(text=contexts), classes)

    def _products(self, features: Tensor, texts: Tensor) -> Tensor:
        """Logits (V, K) of features (V, D) and text features (K, D), both of length one, in fp32."""
        with torch.autocast(self.device.type, enabled=False):
            return self.backbone.logit_scale.float().exp() * features.float() @ texts.float().t()

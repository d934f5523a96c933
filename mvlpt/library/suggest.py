"""Which prompts of a library suit a task: by how alike the images are, then by their loss on the task's few images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from mvlpt.config import Config
from mvlpt.data import labels_of
from mvlpt.data.features import encode_views
from mvlpt.errors import LibraryError
from mvlpt.graph.embeddings import TaskSource
from mvlpt.library.embedding import embedded_task, only_task
from mvlpt.library.entry import Entry
from mvlpt.library.ranking import rank
from mvlpt.library.store import PromptLibrary
from mvlpt.models import Backbone, PromptedCLIP

SHORTLIST = 16


@dataclass(frozen=True)
class Suggestion:
    """A stored prompt for a task.

    Attributes:
        entry: the prompt.
        similarity: of the images it was tuned on to the task's, from -1 to 1.
        loss: mean cross-entropy on the task's training images, whose own classes compete; ``None``: not tried.
        accuracy: on the same images, in percent.
    """

    entry: Entry
    similarity: float
    loss: float | None = None
    accuracy: float | None = None


def suggest_prompts(
    library: PromptLibrary,
    cfg: Config,
    backbone: Backbone,
    *,
    method: str = "",
    shortlist: int = SHORTLIST,
    progress: Callable[[int, int], None] | None = None,
    fits: Callable[[Entry], bool] | None = None,
    enough: int = 0,
) -> list[Suggestion]:
    """Prompts for the one task of a configuration, the best first.

    All are ranked by similarity; the first ``shortlist`` are tried on the task's training images and ordered by loss.

    Args:
        library: where prompts are stored.
        cfg: names the task, its shots and seed; frozen.
        backbone: the frozen model.
        method: only prompts of this method; all by default.
        shortlist: how many are tried on images; 0 for none.
        progress: called with how many were tried, and of how many.
        fits: leaves out prompts that cannot be used; asked of the most similar ones until there are enough.
        enough: that many, or ``shortlist`` if it is more.

    Raises:
        LibraryError: the library is empty, has no such prompts, or belongs to another backbone, or the configuration
            names several tasks.
        MvlptError: the task's images cannot be read.
    """
    library.check_backbone(backbone.fingerprint, backbone.name)
    task = only_task(cfg)
    usable = [i for i, entry in enumerate(library.entries) if _fits(entry, method)]
    if not usable:
        kind = f"prompts of the method '{method}'" if method else "prompts"
        raise LibraryError(f"{library.folder} holds no {kind} that other classes can use; add some: mvlpt library add")
    order, similarity = rank(embedded_task(cfg, backbone, [task]), library.vectors[usable])
    ranked = [Suggestion(library.entries[usable[i]], float(similarity[i])) for i in order]
    if fits is not None:
        ranked = list(islice((one for one in ranked if fits(one.entry)), max(enough, shortlist)))
    if not shortlist or not ranked:
        return ranked
    images, labels = _labelled_images(task, cfg, backbone)
    tried = []
    for number, suggestion in enumerate(ranked[:shortlist], 1):
        prompted = library.prompt(suggestion.entry).build(backbone, list(task.class_names))
        loss, accuracy = _measure(prompted, images, labels)
        tried.append(Suggestion(suggestion.entry, suggestion.similarity, loss, accuracy))
        if progress is not None:
            progress(number, min(shortlist, len(ranked)))
    return sorted(tried, key=lambda one: one.loss) + ranked[shortlist:]


def _fits(entry: Entry, method: str) -> bool:
    return not entry.class_bound and (not method or entry.method == method)


def _labelled_images(task: TaskSource, cfg: Config, backbone: Backbone) -> tuple[Tensor, Tensor]:
    """The task's training images (N, 3, H, W), those that can be read, and their labels as rows (N, K)."""
    items = task.images.data_source
    bank = encode_views(
        task.images, lambda batch: batch.flatten(1), batch_size=64, on_bad_image=cfg.DATASET.ON_BAD_IMAGE
    )
    read = [index for index in range(len(items)) if index not in bank.missing]
    labels = torch.zeros(len(read), len(task.class_names))
    for row, index in enumerate(read):
        labels[row, list(labels_of(items[index]))] = 1
    return bank.features[0, read].view(len(read), 3, *backbone.image_size), labels


@torch.no_grad()
def _measure(prompted: PromptedCLIP, images: Tensor, labels: Tensor, size: int = 256) -> tuple[float, float]:
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    logits = [prompted(part.to(prompted.backbone.device)).cpu() for part in parts]
    scores = torch.cat(logits).float()
    shares = labels / labels.sum(dim=1, keepdim=True).clamp_min(1)
    loss = -(shares * scores.log_softmax(dim=1)).sum(dim=1).mean()
    hits = labels.gather(1, scores.argmax(dim=1, keepdim=True)) > 0
    return float(loss), 100 * float(hits.float().mean())

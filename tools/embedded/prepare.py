"""Prepares pretraining: corpus, vocabulary and the validation designers' drawings, cached in one folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from embedded import bpe, candidates, captions, corpus, model, packages, splits

CORPUS_NAME = "corpus.npz"


def read_sets(work: Path, *, console: Console) -> dict[str, packages.IconSet]:
    """All pinned icon sets, downloaded where missing."""
    return {
        pin.name: packages.read_icons(pin, packages.fetch(pin, work / "npm"))
        for pin in track(packages.load_pins(), "packages", console=console)
    }


def draw_candidates(
    sets: dict[str, packages.IconSet], subjects: candidates.Subjects, *, console: Console
) -> list[candidates.Candidate]:
    """What the task designers drew of these subjects."""
    task_sets = [s for s in sets.values() if s.package.role == "tasks"]
    return candidates.collect(task_sets, subjects, progress=track(task_sets, "task drawings", console=console))


def draw_corpus(
    sets: dict[str, packages.IconSet], drawn: Sequence[candidates.Candidate], *, console: Console
) -> tuple[corpus.Corpus, int]:
    """The corpus without near-duplicates of task drawings, and how many of these were removed."""
    raw = corpus.build(
        [s for s in sets.values() if s.package.role == "pretraining"],
        track=lambda items: track(items, "pretraining drawings", console=console),
    )
    return corpus.without_duplicates_of(raw, np.stack([c.alpha for c in drawn]))


def prepare(work: Path, *, merges: int, console: Console) -> None:
    """Downloads, draws and cleans the corpus; learns the vocabulary; draws the validation designers' images.

    Args:
        work: Cache folder; nothing is done if it has been prepared.
        merges: Size of the byte-pair vocabulary.
        console: Where progress is shown.
    """
    if (work / "summary.json").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    sets = read_sets(work, console=console)
    drawn = draw_candidates(sets, candidates.load_subjects(), console=console)
    clean, removed = draw_corpus(sets, drawn, console=console)
    clean.save(work / CORPUS_NAME)

    words: Counter[str] = Counter()
    times = Counter(clean.label.tolist())
    for index, name in enumerate(clean.names):
        for word in name.split():
            words[word] += max(1, times[index])
        for other in clean.other_names[index]:
            words.update(other.split())
    for template in captions.SHORT_TEMPLATES + captions.LONG_TEMPLATES:
        for word in template.replace("{}", "").replace(".", "").split():
            words[word] += 50
    words = Counter({word: count for word, count in words.items() if word.isalpha()})
    bpe.write_merges(work / model.MERGES_NAME, bpe.learn_merges(words, n_merges=merges))

    split_of = splits.load_split()
    val: dict[tuple, candidates.Candidate] = {}
    for c in drawn:
        if split_of[c.designer] == "val":
            val.setdefault((c.subject, c.class_name, c.set_name), c)
    np.savez_compressed(
        work / "validation.npz",
        alpha=np.stack([c.alpha for c in val.values()]),
        subject=np.array([c.subject for c in val.values()]),
        class_name=np.array([c.class_name for c in val.values()]),
        key=np.array([c.key for c in val.values()]),
    )
    summary = {
        "pairs_drawn": len(clean) + removed,
        "near_duplicates_of_task_drawings_removed": removed,
        "pairs": len(clean),
        "names": len(set(clean.label.tolist())),
        "pairs_per_set": dict(sorted(Counter(source.split(":")[0] for source in clean.sources).items())),
        "validation_designers": sorted(d for d, split in split_of.items() if split == "val"),
        "validation_images": len(val),
    }
    (work / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")

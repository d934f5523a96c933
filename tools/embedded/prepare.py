"""Prepares pretraining: corpus, vocabulary and the validation designers' drawings, cached in one folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from embedded import bpe, candidates, captions, corpus, model, packages, splits


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
    pins = packages.load_pins()
    sets = {
        pin.name: packages.read_icons(pin, packages.fetch(pin, work / "npm"))
        for pin in track(pins, "packages", console=console)
    }
    wanted = candidates.load_subjects()
    task_sets = [sets[pin.name] for pin in pins if pin.role == "tasks"]
    drawn = candidates.collect(task_sets, wanted, progress=track(task_sets, "task drawings", console=console))
    raw = corpus.build(
        [sets[pin.name] for pin in pins if pin.role == "pretraining"],
        track=lambda items: track(items, "pretraining drawings", console=console),
    )
    clean, removed = corpus.without_duplicates_of(raw, np.stack([c.alpha for c in drawn]))
    clean.save(work / "corpus.npz")

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
        "pairs_drawn": len(raw),
        "near_duplicates_of_task_drawings_removed": removed,
        "pairs": len(clean),
        "names": len(set(clean.label.tolist())),
        "pairs_per_set": dict(sorted(Counter(source.split(":")[0] for source in clean.sources).items())),
        "validation_designers": sorted(d for d, split in split_of.items() if split == "val"),
        "validation_images": len(val),
    }
    (work / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")

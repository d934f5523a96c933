"""The pretraining corpus: drawings of the pretraining designers with the names they go by.

Shapes: N drawings, 48 x 48 pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedded import duplicates, naming, raster
from embedded.packages import Icon, IconSet

EMOJI_SETS = frozenset({"noto", "noto-v1", "twemoji"})
STYLES_PER_NAME = 4


@dataclass(frozen=True)
class Corpus:
    """Drawings and captions.

    Attributes:
        pixels: (N, 48, 48, 4) uint8 RGBA.
        glyph: (N,) bool, True for black glyphs (recoloured in training), False for coloured emoji.
        label: (N,) int, index of the drawing's main name in ``names``.
        names: Main names.
        other_names: Per main name, further names (aliases of the icon sets) used as captions now and then.
        sources: (N,) ``set:icon``.
    """

    pixels: np.ndarray
    glyph: np.ndarray
    label: np.ndarray
    names: list[str]
    other_names: list[list[str]]
    sources: list[str]

    def __len__(self) -> int:
        return len(self.label)

    def subset(self, keep: np.ndarray) -> Corpus:
        """The corpus without drawings where ``keep`` (N,) bool is False; names stay."""
        sources = [source for source, kept in zip(self.sources, keep, strict=True) if kept]
        return Corpus(self.pixels[keep], self.glyph[keep], self.label[keep], self.names, self.other_names, sources)

    def save(self, path: Path) -> None:
        """Writes the corpus as one compressed file."""
        np.savez_compressed(
            path,
            pixels=self.pixels,
            glyph=self.glyph,
            label=self.label,
            names=np.array(self.names),
            other_names=np.array(["|".join(names) for names in self.other_names]),
            sources=np.array(self.sources),
        )

    @staticmethod
    def load(path: Path) -> Corpus:
        """Reads what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return Corpus(
                data["pixels"],
                data["glyph"],
                data["label"],
                data["names"].tolist(),
                [names.split("|") if names else [] for names in data["other_names"].tolist()],
                data["sources"].tolist(),
            )


def _drawings_by_label(icon_set: IconSet) -> dict[str, list[Icon]]:
    """A set's drawings under their stripped names, at most a few styles a name, each style at one size."""
    by_label: dict[str, dict[str, Icon]] = defaultdict(dict)
    emoji = icon_set.package.name in EMOJI_SETS
    for name, icon in icon_set.icons.items():
        label, style = naming.strip_style(name)
        if not naming.is_caption(label) or (emoji and label.startswith(("flag", "keycap"))):
            continue
        style_without_size = " ".join(word for word in style.split() if not word.isdigit())
        by_label[label].setdefault(style_without_size, icon)
    chosen = {}
    for label, styles in by_label.items():
        order = sorted(styles)
        step = max(1, len(order) / STYLES_PER_NAME)
        chosen[label] = [styles[order[int(i * step)]] for i in range(min(len(order), STYLES_PER_NAME))]
    return chosen


def keep_names(by_set: dict[str, dict[str, list[Icon]]]) -> set[str]:
    """Names worth learning: in two sets or more, or an emoji's, or a single word."""
    sets_of: dict[str, set[str]] = defaultdict(set)
    for set_name, labels in by_set.items():
        for label in labels:
            sets_of[label].add(set_name)
    return {label for label, sets in sets_of.items() if len(sets) >= 2 or sets & EMOJI_SETS or len(label.split()) == 1}


def build(sets: Sequence[IconSet], *, track: Callable[[Iterable], Iterable] = iter) -> Corpus:
    """Draws the corpus.

    Args:
        sets: Icon sets of pretraining designers.
        track: Wraps the loop over sets, to show progress.

    Returns:
        The corpus, before near-duplicates of task drawings are removed.
    """
    by_set = {icon_set.package.name: _drawings_by_label(icon_set) for icon_set in sets}
    kept = keep_names(by_set)
    names = sorted(kept)
    index = {name: i for i, name in enumerate(names)}
    others: dict[str, set[str]] = defaultdict(set)
    for icon_set in sets:
        for alias, parent in icon_set.aliases.items():
            main, other = naming.strip_style(parent)[0], naming.strip_style(alias)[0]
            new_words = not set(main.split()) & set(other.split())
            if main in kept and new_words and naming.is_caption(other):
                others[main].add(other)
    pixels, glyph, label, sources = [], [], [], []
    for icon_set in track(sets):
        for name, icons in sorted(by_set[icon_set.package.name].items()):
            if name not in kept:
                continue
            for icon in icons:
                drawn = raster.rasterise(icon)
                if drawn is None:
                    continue
                pixels.append(drawn)
                glyph.append(icon_set.package.name not in EMOJI_SETS and raster.is_monochrome(drawn))
                label.append(index[name])
                sources.append(f"{icon_set.package.name}:{icon.name}")
    return Corpus(
        np.stack(pixels),
        np.array(glyph),
        np.array(label),
        names,
        [sorted(others[name]) for name in names],
        sources,
    )


def without_duplicates_of(corpus: Corpus, alphas: np.ndarray) -> tuple[Corpus, int]:
    """Removes drawings that nearly equal one of ``alphas`` (M, 48, 48) uint8; returns what is left and the count."""
    pairs = duplicates.near_pairs(duplicates.signatures(corpus.pixels[..., 3]), duplicates.signatures(alphas))
    keep = np.ones(len(corpus), dtype=bool)
    keep[pairs[:, 0]] = False
    return corpus.subset(keep), int((~keep).sum())

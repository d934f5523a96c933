"""Learns a small byte-pair vocabulary in the file format of open_clip's ``SimpleTokenizer``."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from itertools import pairwise
from pathlib import Path

HEADER = "#version: 0.2"
BYTE_TOKENS = 512  # 256 bytes, each also as the end of a word
SPECIAL_TOKENS = 2


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Joins every occurrence of ``pair`` in ``word``, from the left."""
    joined, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            joined.append(word[i] + word[i + 1])
            i += 2
        else:
            joined.append(word[i])
            i += 1
    return tuple(joined)


def learn_merges(word_counts: Counter[str], *, n_merges: int) -> list[tuple[str, str]]:
    """Byte-pair encoding on ASCII words: the most frequent pair is joined first, ties in alphabetical order.

    Args:
        word_counts: Lower-case ASCII words and how often they occur.
        n_merges: Upper bound on the number of merges.

    Returns:
        Pairs in the order in which they were joined; the last letter of a word carries ``</w>``.
    """
    words = {(*word[:-1], word[-1] + "</w>"): count for word, count in sorted(word_counts.items())}
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for word, count in words.items():
        for pair in pairwise(word):
            pairs[pair] += count
            where.setdefault(pair, set()).add(word)
    merges = []
    while len(merges) < n_merges and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 1:
            break
        merges.append(best)
        for word in list(where.get(best, ())):
            count = words.pop(word)
            for pair in pairwise(word):
                pairs[pair] -= count
                where[pair].discard(word)
            shorter = _merge(word, best)
            words[shorter] = count
            for pair in pairwise(shorter):
                pairs[pair] += count
                where.setdefault(pair, set()).add(shorter)
        pairs.pop(best, None)
    return merges


def write_merges(path: Path, merges: list[tuple[str, str]]) -> None:
    """Writes the gzipped merges file (no time stamp inside, so equal merges give equal bytes)."""
    text = "\n".join([HEADER, *(" ".join(pair) for pair in merges)])
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        stream.write(text.encode())
    path.write_bytes(buffer.getvalue())


def vocabulary_size(merges: list[tuple[str, str]]) -> int:
    """Number of tokens that ``SimpleTokenizer`` makes of these merges."""
    return BYTE_TOKENS + len(merges) + SPECIAL_TOKENS

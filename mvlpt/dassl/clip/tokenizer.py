"""OpenAI's tokenizer interface over open_clip's: the vocabulary of the run's backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from mvlpt.engine import current_config
from mvlpt.models import load_tokenizer


class SimpleTokenizer:
    """Byte-pair encoding with ``encode``, ``decode``, ``encoder`` and ``decoder``.

    The vocabulary is found when it is first needed, so that one made at import time serves every backbone.
    """

    def __init__(self, bpe_path: str | None = None) -> None:
        self._path = bpe_path

    def encode(self, text: str) -> list[int]:
        """Token ids, without start and end."""
        return list(self._inner.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of token ids."""
        return self._inner.decode(tokens)

    @property
    def encoder(self) -> dict[str, int]:
        """Token to id; holds ``<|startoftext|>`` and ``<|endoftext|>`` as OpenAI writes them."""
        inner = self._inner
        return {**inner.encoder, "<|startoftext|>": inner.sot_token_id, "<|endoftext|>": inner.eot_token_id}

    @property
    def decoder(self) -> dict[int, str]:
        """Id to token."""
        return self._inner.decoder

    @property
    def _inner(self) -> Any:
        return _tokenizer(_backbone_name())


def _backbone_name() -> str:
    cfg = current_config()
    name = cfg.MODEL.BACKBONE.NAME if cfg is not None else ""
    return name if name and name != "random" else "ViT-B/16"


@cache
def _tokenizer(name: str) -> Any:
    return load_tokenizer(name)


def tokenize(texts: str | Sequence[str], context_length: int = 0, truncate: bool = False) -> torch.LongTensor:
    """Token ids (N, context_length) with start, end and zeros behind.

    Args:
        texts: one string or several.
        context_length: by default the backbone's.
        truncate: cut what is too long.

    Raises:
        RuntimeError: a text is too long.
    """
    inner = _tokenizer(_backbone_name())
    length = context_length or inner.context_length
    listed = [texts] if isinstance(texts, str) else list(texts)
    result = torch.zeros(len(listed), length, dtype=torch.long)
    for row, text in enumerate(listed):
        ids = [inner.sot_token_id, *inner.encode(text), inner.eot_token_id]
        if len(ids) > length:
            if not truncate:
                raise RuntimeError(f"'{text}' has {len(ids)} tokens, and the model takes {length}")
            ids = [*ids[: length - 1], inner.eot_token_id]
        result[row, : len(ids)] = torch.tensor(ids)
    return result

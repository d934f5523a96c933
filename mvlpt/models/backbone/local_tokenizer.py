"""The tokenizer of a local folder: open_clip's, with the folder's own merges of a byte-pair encoding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import BackboneError
from mvlpt.io import first_line, read_gzip, short_repr

LARGEST = 2**24  # bytes of the unpacked merges; those of open_clip have a tenth
_OPTIONS = ("additional_special_tokens", "clean", "context_length", "reduction_mask")
_TOKEN = re.compile(r"[\w<>|\[\]#/-]{1,64}")


def merges_in(folder: Path, text: Mapping[str, Any]) -> Path | None:
    """The merges file that the configuration of the text tower names, or else the first one in the folder.

    Raises:
        BackboneError: the named file is not in the folder.
    """
    named = (text.get("tokenizer_kwargs") or {}).get("bpe_path")
    if named:
        path = (folder / named).resolve() if isinstance(named, str) and "\0" not in named else folder
        if folder.resolve() not in path.parents or not path.is_file():
            raise BackboneError(f"The tokenizer's merges file {short_repr(named, 80)} is not in the folder {folder}")
        return path
    found = sorted([*folder.glob("*bpe*.gz"), *folder.glob("*merges*.gz"), *folder.glob("*vocab*.gz")])
    return found[0] if found else None


def local_tokenizer(merges: Path, text: Mapping[str, Any]) -> Any:
    """The tokenizer.

    Args:
        merges: the file.
        text: the configuration of the text tower.

    Raises:
        BackboneError: the file is damaged, unpacks to too much or makes more tokens than the model has; an option is
            not known.
    """
    from open_clip.tokenizer import SimpleTokenizer

    options = {key: value for key, value in (text.get("tokenizer_kwargs") or {}).items() if key != "bpe_path"}
    unknown = next((key for key in options if key not in _OPTIONS), None)
    if unknown is not None:
        raise BackboneError(f"The tokenizer beside {merges} has no option {short_repr(unknown, 60)}; take it out")
    special = options.get("additional_special_tokens") or []
    if not isinstance(special, list) or not all(isinstance(one, str) and _TOKEN.fullmatch(one) for one in special):
        raise BackboneError(f"The additional_special_tokens beside {merges} are not a list of short tokens; correct it")
    read_gzip(merges, largest=LARGEST, error=BackboneError, remedy="take the file that belongs to the weights")
    options = {"context_length": text.get("context_length", 77), **options}
    try:
        tokenizer = SimpleTokenizer(bpe_path=str(merges), **options)
    except Exception as error:  # of merges that are none, or of options of the wrong kind: any
        raise BackboneError(f"The tokenizer with {merges} cannot be built: {first_line(error)}") from error
    held = text.get("vocab_size", 49408)
    if len(tokenizer.encoder) > held:
        raise BackboneError(
            f"{merges} makes {len(tokenizer.encoder):,} tokens, but the model has {held:,}; take the file that belongs"
            " to the weights"
        )
    return tokenizer

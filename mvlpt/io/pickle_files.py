"""Pickles of plain values, read without running anything that they ask for; of objects only the fields are kept."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from typing import Any

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.inert_pickle import NUMBERS, Inert, InertUnpickler, encode_latin1
from mvlpt.io.reading import REMEDY, read_bytes

LARGEST = 2**22  # bytes; the 16 shots of ImageNet take half. One byte can ask for an empty dict, which takes 64
_LONGEST_NUMBER = 64  # bytes of a NumPy number
_READ = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "MEMOIZE"),
    *("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT"),
    *("BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("GLOBAL", "STACK_GLOBAL", "NEWOBJ", "REDUCE", "BUILD"),
)


class PickledObject(Inert):
    """An object of a class that was not looked up.

    Attributes:
        fields: its attributes by name, where the pickle gives them as a dictionary.
    """

    fields: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.fields = state


def _short_bytes(text: Any, encoding: str = "latin1") -> bytes:
    """As :func:`~mvlpt.io.inert_pickle.encode_latin1`, of what a number may be."""
    return encode_latin1(text) if isinstance(text, str) and len(text) <= _LONGEST_NUMBER else b""


class _Unpickler(InertUnpickler):
    """Knows the instructions for plain values and for objects with fields, and no others."""

    dispatch = {ord(code): InertUnpickler.dispatch[ord(code)] for code in (getattr(pickle, name) for name in _READ)}  # noqa: RUF012
    table = {**NUMBERS, "_codecs.encode": _short_bytes}  # noqa: RUF012

    def find_class(self, module: str, name: str) -> Any:
        """NumPy's numbers; for all other classes :class:`PickledObject`."""
        return self.table.get(f"{module}.{name}", PickledObject)


def read_pickle(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    missing: str = "",
    remedy: str = REMEDY,
) -> Any:
    """The value in a pickle: numbers, strings, lists, tuples, dictionaries; a :class:`PickledObject` for each object.

    Args:
        path: the file.
        error: the type to raise.
        missing: the whole sentence for a file that does not exist.
        remedy: ends every other sentence.

    Raises:
        MvlptError: of type ``error``; the file is missing, too large, damaged, or holds other things.
    """
    content = read_bytes(path, error=error, largest=LARGEST, missing=missing, remedy=remedy)
    try:
        return _Unpickler(io.BytesIO(content)).load()
    except RecursionError:
        reason = "its values are nested too deeply"
    except KeyError as problem:
        known = isinstance(problem.args[0], int) if problem.args else False
        reason = "it holds more than plain values" if known else "it is damaged"
    except Exception as problem:  # of a damaged pickle: any
        reason = f"it is damaged ({first_line(problem)})"
    raise error(f"{path} is not a readable pickle: {reason}; {remedy}")

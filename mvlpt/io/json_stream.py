"""Reads large JSON files in pieces: walks objects and lists, and yields tables of numbers row by row.

Memory is bounded by :data:`MAX_VALUE` whatever the file holds; every error names the file and the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any, NoReturn

from mvlpt.errors import DataError
from mvlpt.io.json_files import is_shallow
from mvlpt.io.limits import limit

CHUNK = 1 << 18
MAX_VALUE = 1 << 22  # bytes of one value or row
MAX_MEMBERS = 1000  # fields of an object
_SPACE = re.compile(rb"[ \n\t\r]*")
_NUMBERS = b"0123456789eE+-.,[ \n\t\r"
_DECODER = json.JSONDecoder()


class JsonStream:
    """A position in a JSON file that only moves forward.

    Args:
        handle: opened for reading bytes.
        name: the name of the file in messages.
    """

    def __init__(self, handle: IO[bytes], name: str) -> None:
        self.name = name
        self._handle = handle
        self._buffer = b""
        self._most = limit("MVLPT_MAX_VALUES")
        self._at = 0  # next byte to read in the buffer
        self._before = 0  # bytes of the file before the buffer

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller reads each key's value before it takes the next."""
        self._take(b"{")
        if self._next() == b"}":
            self._take(b"}")
            return
        seen: set[str] = set()
        while True:
            key = self.value()
            if not isinstance(key, str):
                self.fail("a name in quotes is missing")
            if len(seen) > MAX_MEMBERS:
                self.fail(f"an object has more than {MAX_MEMBERS:,} fields")
            if key in seen:
                self.fail(f"the field '{key[:80]}' is given twice")
            seen.add(key)
            self._take(b":")
            yield key
            if self._next() == b"}":
                self._take(b"}")
                return
            self._take(b",")

    def elements(self) -> Iterator[int]:
        """Positions in the list that begins here; the caller reads each element before it takes the next."""
        self._take(b"[")
        if self._next() == b"]":
            self._take(b"]")
            return
        number = 0
        while True:
            yield number
            number += 1
            if number > self._most:
                self.fail(f"a list has more than {self._most:,} elements (MVLPT_MAX_VALUES raises the limit)")
            if self._next() == b"]":
                self._take(b"]")
                return
            self._take(b",")

    def value(self) -> Any:
        """The value that begins here, whatever it is, if it is not large."""
        self._next()
        while True:
            text = self._buffer[self._at : self._at + MAX_VALUE].decode("utf-8", "surrogateescape")
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                if len(self._buffer) - self._at < MAX_VALUE and self._fill():
                    continue
                self.fail("this is not JSON, or it is cut short")
            if not is_shallow(value):
                self.fail("lists or objects are nested too deeply in each other")
            if len(text) - end < 32 and self._fill():
                continue  # a number might continue
            self._at += len(text[:end].encode("utf-8", "surrogateescape"))
            return value

    def row_text(self) -> bytes:
        """The list of numbers that begins here, undecoded. Anything but plain numbers is refused."""
        self._next()
        if self._buffer[self._at : self._at + 1] != b"[":
            self.fail("a row of numbers is missing")
        searched = 0  # from the row's start, which _fill moves to the buffer's
        while (end := self._buffer.find(b"]", self._at + searched)) < 0:
            searched = len(self._buffer) - self._at
            if searched > MAX_VALUE or not self._fill():
                self.fail("a row of numbers does not end")
        row = self._buffer[self._at : end + 1]
        if row[:-1].translate(None, _NUMBERS) or row.count(b"[") != 1:
            self.fail("a row holds something that is not a number")
        self._at = end + 1
        return row

    def end(self) -> None:
        """Checks that the file ends here."""
        if self._next():
            self.fail("there is content after the end")

    def fail(self, what: str) -> NoReturn:
        """Raises a :class:`DataError` that names the file and the byte."""
        raise DataError(f"{self.name}, byte {self._before + self._at}: {what}")

    def _next(self) -> bytes:
        """The next byte that is not space, left where it is; empty at the end of the file."""
        while True:
            self._at = _SPACE.match(self._buffer, self._at).end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._fill():
                return b""

    def _take(self, expected: bytes) -> None:
        if self._next() != expected:
            self.fail(f"'{expected.decode()}' is missing")
        self._at += 1

    def _fill(self) -> bool:
        """Reads more and discards what was consumed; whether there was more."""
        try:
            more = self._handle.read(CHUNK)
        except Exception as error:  # a broken archive raises what zlib and zipfile like
            raise DataError(f"{self.name} cannot be read: {error}") from error
        self._buffer = self._buffer[self._at :] + more
        self._before += self._at
        self._at = 0
        return bool(more)

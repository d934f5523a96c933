"""Small XML files: elements, attributes and text, without entities, within limits of size and depth."""

from __future__ import annotations

import os
from xml.etree import ElementTree
from xml.parsers import expat

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.reading import REMEDY, read_bytes

LARGEST = 2**24  # bytes
DEEPEST = 64  # elements within each other


def read_xml(
    path: str | os.PathLike[str], *, error: type[MvlptError] = DataError, remedy: str = REMEDY
) -> ElementTree.Element:
    """The root element of a file.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, too large, nested too deeply, declares
            entities, or is not XML.
    """
    content = read_bytes(path, error=error, largest=LARGEST, remedy=remedy)
    tree, depth = ElementTree.TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} elements are nested in each other")
        tree.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        tree.end(name)

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, tree.data
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
        return tree.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as problem:
        raise error(f"{path} is not readable XML: {problem}; {remedy}") from None

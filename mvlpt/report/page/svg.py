"""Figures of matplotlib as SVG inside a page: small, without styles of their own, and in the colours of the page.

A strict content policy forbids style attributes, so they become presentation attributes. The colours of lines,
letters and series become classes, which the page's style sheet colours for light and dark.
Whatever lies in a group whose id begins with :data:`FIXED` keeps its colours: letters on a coloured ground.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mvlpt.errors import MissingExtraError
from mvlpt.io import clean_text
from mvlpt.report.graphs import COLOURS, FIXED, INK

PIXELS = 96  # an inch, in CSS
LARGEST = 2**30  # characters of a drawing
MUTED, FAINT, GRID = "#6f6f6f", "#b8b8b8", "#e5e5e5"
CLASSES = {
    INK.lower(): "ink", "#000000": "ink", "#555555": "muted", "#777777": "muted", MUTED: "muted",
    FAINT: "faint", GRID: "grid", "#ededed": "grid", "#ffffff": "paper",
    **{colour.lower(): f"c{number}" for number, colour in enumerate(COLOURS)},
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_FONT = re.compile(r"(?:(italic)\s+)?(?:(bold|\d{3})\s+)?([\d.]+)px\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_XLINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Figure:
    """A figure of a page.

    Attributes:
        svg: the drawing.
        caption: what it shows and how to read it.
        wide: it scrolls sideways within its frame where the page is narrower.
    """

    svg: Markup
    caption: str
    wide: bool = False


@contextmanager
def page_style() -> Iterator[None]:
    """Context in which figures are drawn in the page's own fonts and colours.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError(
            "Figures need matplotlib, which is not installed: pip install 'mvlpt[report]'"
        ) from None
    settings = {
        "text.color": INK, "axes.labelcolor": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "axes.edgecolor": FAINT, "xtick.color": FAINT, "ytick.color": FAINT, "grid.color": GRID, "grid.linewidth": 0.8,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
        "legend.fontsize": 8.5, "legend.frameon": False, "font.size": 9, "axes.axisbelow": True,
        "axes.formatter.useoffset": False, "text.parse_math": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's browser has fonts of its own
        yield


def inline_svg(figure: Any, key: str, label: str) -> Markup:
    """A figure as an ``<svg>`` element.

    Args:
        figure: of matplotlib.
        key: unique on the page; begins the ids of its parts.
        label: read out in place of the figure.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "mvlpt", "svg.image_inline": True}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
    drawn = clean_text(buffer.getvalue(), LARGEST, keep="\n\t")  # XML has no control characters, whatever names have
    root = ET.fromstring(drawn)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    used = set(_references(root))
    _convert(root, key, used, fixed=False)
    root.attrib.clear()
    root.set("class", "figure")
    root.set("viewBox", f"0 0 {_short(width)} {_short(height)}")
    root.set("width", str(round(width * PIXELS / 72)))
    root.set("height", str(round(height * PIXELS / 72)))
    root.set("role", "img")
    root.set("aria-label", clean_text(label))
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))


def _references(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == _XLINK and value.startswith("#"):
                yield value[1:]
            elif found := _REFERENCE.search(value):
                yield found[1]


def _convert(element: ET.Element, key: str, used: set[str], fixed: bool) -> None:
    """Makes an element and all below it fit for the page, in place."""
    element.tag = element.tag.rpartition("}")[2]
    fixed = fixed or element.attrib.get("id", "").startswith(FIXED)
    styles = element.attrib.pop("style", "")
    ident = element.attrib.pop("id", "")
    for name in list(element.attrib):
        value = element.attrib.pop(name)
        if name == _XLINK:
            element.set("href", f"#{key}{value[1:]}" if value.startswith("#") else value)
            continue
        value = _REFERENCE.sub(lambda found: f"url(#{key}{found[1]})", value)
        element.set(name, value if name == "href" else _NUMBER.sub(_rounded, value).replace("\n", " ").strip())
    if ident in used:
        element.set("id", f"{key}{ident}")
    _apply_styles(element, styles, fixed, key)
    for child in list(element):
        name = child.tag.rpartition("}")[2]
        if name in ("metadata", "style"):
            element.remove(child)
            continue
        _convert(child, key, used, fixed)
        child.tail = None
    if element.text and not element.text.strip():
        element.text = None


def _apply_styles(element: ET.Element, styles: str, fixed: bool, key: str) -> None:
    classes = []
    for declaration in filter(None, map(str.strip, styles.split(";"))):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name in ("fill", "stroke"):
            theme = None if fixed else CLASSES.get(value.lower())
            if theme is None:
                element.set(name, _REFERENCE.sub(lambda found: f"url(#{key}{found[1]})", value))
            else:
                classes.append(f"{name[0]}-{theme}")
        elif name == "font":
            if found := _FONT.search(value):
                element.set("font-size", found[3])
                if found[2]:
                    element.set("font-weight", found[2])
        elif name == "font-size":
            element.set(name, value.removesuffix("px"))
        elif name != "font-family":
            element.set(name, _NUMBER.sub(_rounded, value))
    if element.tag == "text" and "fill" not in element.attrib and not any(one.startswith("f-") for one in classes):
        classes.append("f-ink")
    if classes:
        element.set("class", " ".join(classes))


def _rounded(found: re.Match[str]) -> str:
    return _short(float(found[0]))


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") or "0"

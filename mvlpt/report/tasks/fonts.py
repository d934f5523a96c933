"""Fonts for names in any script: the first of this machine that has a character draws it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageDraw, ImageFont

log = logging.getLogger(__name__)
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts", "~/.fonts")
PREFERRED = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "NotoSansCJK-Regular.ttc")
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def draw_text(
    draw: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, ink: tuple[int, ...], size: int
) -> None:
    """Draws a line, each character in a font that has it."""
    x, y = corner
    for part, font in text_runs(text, size):
        draw.text((x, y), part, ink, font)
        x += draw.textlength(part, font)


def text_width(draw: ImageDraw.ImageDraw, text: str, size: int) -> float:
    """The width of a line in pixels."""
    return sum(draw.textlength(part, font) for part, font in text_runs(text, size))


def text_runs(text: str, size: int) -> Iterator[tuple[str, Font]]:
    """Neighbouring characters that one font draws, with that font."""
    run, path = "", ""
    for character in text:
        found = path if character.isspace() and run else _font_of(character)
        if run and found != path:
            yield run, _font(path, size)
            run = ""
        run, path = run + character, found
    if run:
        yield run, _font(path, size)


@functools.lru_cache(maxsize=65536)
def _font_of(character: str) -> str:
    """The file of the font for a character; ``""`` for Pillow's own, which has plain Latin letters."""
    if ord(character) < 0x7F:
        return ""
    for path in _files():
        if ord(character) in _characters(path):
            return path
    _report(character)
    return _files()[0] if _files() else ""


@functools.cache
def _files() -> tuple[str, ...]:
    """The fonts of this machine: matplotlib's, then those of the system, upright ones first."""
    found: list[Path] = []
    try:
        import matplotlib

        found += sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVuSans.ttf"))
    except ImportError:
        pass
    for folder in map(Path, FOLDERS):
        found += sorted(
            path for path in folder.expanduser().rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc")
        )
    order = {name: number for number, name in enumerate(PREFERRED)}
    slanted = ("italic", "oblique", "bold", "mono", "condensed", "narrow")
    found.sort(key=lambda path: (order.get(path.name, 99), any(word in path.name.lower() for word in slanted)))
    return tuple(map(str, dict.fromkeys(found)))


@functools.lru_cache(maxsize=256)
def _characters(path: str) -> frozenset[int]:
    """The characters that a font has; none where it cannot be read."""
    try:
        from fontTools.ttLib import TTCollection, TTFont

        font = TTCollection(path).fonts[0] if path.lower().endswith(".ttc") else TTFont(path, lazy=True)
        return frozenset(font.getBestCmap() or ())
    except Exception:  # fontTools raises what it likes for a file that is no font, and may not be installed
        return frozenset()


@functools.lru_cache(maxsize=64)
def _font(path: str, size: int) -> Font:
    if not path:
        return ImageFont.load_default(size)
    return ImageFont.truetype(path, size)


@functools.cache
def _reported() -> set[str]:
    return set()


def _report(character: str) -> None:
    """Says once for each script which font to install."""
    script = "CJK" if ord(character) >= 0x2E80 else "other"
    if script in _reported():
        return
    _reported().add(script)
    package = "fonts-noto-cjk" if script == "CJK" else "fonts-noto-core"
    log.warning(
        "No font on this machine has '%s', which is drawn as a box; install one, for instance with apt install %s"
        " (and pip install 'mvlpt[report]', which brings the program that reads fonts)",
        character,
        package,
    )

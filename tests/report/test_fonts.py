"""Names in any script on contact sheets: each character from a font that has it, or a word on what to install."""

import logging

import pytest
from PIL import Image, ImageDraw

from mvlpt.report.tasks import fonts


def drawn(text):
    page = Image.new("RGB", (400, 40), (255, 255, 255))
    fonts.draw_text(ImageDraw.Draw(page), (4, 4), text, (0, 0, 0), 20)
    return page.tobytes()


@pytest.mark.parametrize("text", ["Bär", "Straße", "naïve café", "Łódź", "кошка"])
def test_letters_beyond_ascii_are_no_boxes(text):
    if not fonts._files():
        pytest.skip("this machine has no fonts")
    box = drawn("\U0010ffff" * len(text))
    assert drawn(text) != box
    different = {drawn(character) for character in set(text) if ord(character) > 127}
    assert len(different) == len({character for character in text if ord(character) > 127})


def test_a_script_without_a_font_is_reported_once(monkeypatch, caplog):
    monkeypatch.setattr(fonts, "_files", lambda: ())
    fonts._font_of.cache_clear()
    fonts._reported.cache_clear()
    with caplog.at_level(logging.WARNING):
        drawn("星星 猫")
    assert caplog.text.count("No font on this machine has '星'") == 1
    assert "apt install fonts-noto-cjk" in caplog.text
    fonts._font_of.cache_clear()
    fonts._reported.cache_clear()


def test_runs_keep_every_character():
    text = "a ä 星 b"
    assert "".join(run for run, _ in fonts.text_runs(text, 13)) == text
    page = ImageDraw.Draw(Image.new("RGB", (10, 10)))
    assert fonts.text_width(page, text, 13) > fonts.text_width(page, "a", 13)

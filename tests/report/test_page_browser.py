"""The report in a real browser: no errors, every figure, no sideways scrolling, sorting by mouse and keyboard."""

import shutil

import pytest
from support.report_folders import FakeExperiment

from mvlpt.report.page import write_report

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (390, 1400)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'mvlpt[browser]'"
    )
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        program = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    names = (
        "pets",
        "<b>cars</b>",
        "a task of a very long name that no phone can show in one line at all",
        "birds",
        "planes",
    )
    experiment = FakeExperiment(tmp_path_factory.mktemp("browser") / "x", failed=("MVLPT-CoOp/all/seed2",), tasks=names)
    return write_report(experiment.write()).path


@pytest.fixture
def open_page(browser, report):
    """Opens the report; at the end nothing may have been reported on the console or asked of the network."""
    contexts, complaints = [], []

    def open_at(width, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:")) else complaints.append(request.url),
        )
        page.goto(report.as_uri())
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_is_there_and_the_page_does_not_scroll_sideways(open_page, width, scheme):
    page = open_page(width, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.evaluate(
        "Array.from(document.querySelectorAll('svg.figure')).map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) >= 12
    assert all(box["width"] > 200 and box["height"] > 50 for box in boxes)
    loaded = page.evaluate("Array.from(document.images).map(one => one.complete && one.naturalWidth)")
    assert loaded
    assert all(loaded)


def test_letters_have_contrast_in_light_and_dark(open_page):
    for scheme in ("light", "dark"):
        page = open_page(1400, color_scheme=scheme)
        colours = page.evaluate("""() => {
            const of = (element, name) => getComputedStyle(element)[name].match(/[\\d.]+/g).map(Number);
            const letters = [['p.lead', 'color'], ['.quiet', 'color'], ['caption', 'color'], ['tbody a', 'color'],
                             ['svg.figure text.f-ink', 'fill'], ['.failure', 'color']];
            const ground = of(document.body, 'backgroundColor');
            return letters.map(([what, name]) => [what, of(document.querySelector(what), name), ground]);
        }""")
        for what, one, other in colours:
            assert _contrast(one, other) >= 4.5, (scheme, what)


def _contrast(one, other):
    def luminance(colour):
        parts = [value / 255 for value in colour[:3]]
        parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _column(page, number):
    return page.locator(f"#scores-1 tbody tr > :nth-child({number})").evaluate_all(
        "cells => cells.map(c => c.dataset.key)"
    )


def test_headings_sort_by_mouse_and_keyboard(open_page):
    page = open_page(1400)
    values = [float(key) for key in _column(page, 2)]
    heading = page.locator("#scores-1 thead th:nth-child(2)")
    assert heading.get_attribute("aria-sort") == "none"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(key) for key in _column(page, 2)] == sorted(values, reverse=True)
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(key) for key in _column(page, 2)] == sorted(values)
    assert "ascending" in page.locator("#status").text_content()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.locator("#scores-1 thead th:nth-child(1)").get_attribute("aria-sort") == "ascending"
    assert heading.get_attribute("aria-sort") == "none"
    assert page.locator("#scores-1 tfoot tr").count() == 1


def test_fields_without_a_value_stay_last(open_page):
    page = open_page(1400)
    button = page.locator("#methods-1 thead th button").filter(has_text="over single-task")
    for _ in range(2):
        button.click()
        assert page.locator("#methods-1 tbody tr:last-child td:nth-last-child(2)").text_content() == "–"


def test_the_first_key_reaches_the_results_and_a_link_opens_its_task(open_page):
    page = open_page(390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("#scores-1 tbody a").first.click()
    page.wait_for_function("document.querySelector('details.task').open")


def test_names_are_text(open_page):
    page = open_page(1400)
    assert page.locator("#scores-1 tbody th", has_text="<b>cars</b>").count() == 1
    assert page.locator("#scores-1 b").count() == 0


def test_on_paper_everything_is_open(open_page):
    page = open_page(1400)
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0

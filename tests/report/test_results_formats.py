"""The tables as a person, a spreadsheet and a paper get them."""

import csv
import io
import json
import re
import shutil
import subprocess

import pytest
from rich.console import Console
from support.plans import PATIENCE
from support.scores import row, zero_shot

from mvlpt.report import Column, Entry, Sheet, latex, latex_escape, markdown
from mvlpt.report.results import TABLES, as_csv, as_json, as_latex, as_markdown, results_table, rich_tables, sheets
from mvlpt.report.results.records import records


@pytest.fixture
def results():
    rows = [zero_shot("a_1", 40), zero_shot("b|2", 60)]
    for arm, by_task in {"single": {"a_1": (50, 60), "b|2": (61, 61)}, "all": {"a_1": (54.96, 55.0)}}.items():
        rows += [
            row(task, value, seed, arm) for task, values in by_task.items() for seed, value in enumerate(values, 1)
        ]
    return results_table(rows, groups={"a_1": "low", "b|2": "high"})


def drawn(items, width=120, terminal=False):
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    for item in items:
        console.print(item)
    return console.file.getvalue()


def test_best_is_bold_by_what_is_shown(results):
    (scores,) = sheets(results, ("scores",))
    assert [[entry.text for entry in line] for line in scores.rows if line] == [
        ["a_1", "40.0", "55.0 ± 7.1", "55.0 ± 0.0"],
        ["b|2", "60.0", "61.0 ± 0.0", ""],
        ["mean of 1", "40.0", "55.0 ± 7.1", "55.0 ± 0.0"],
    ]
    assert [[entry.bold for entry in line] for line in scores.rows if line][:2] == [
        [False, False, True, True],
        [False, False, True, False],
    ]
    assert scores.rows[1] is None  # a rule between the groups
    (finer,) = sheets(results, ("scores",), digits=2)
    assert [entry.bold for entry in finer.rows[0]] == [False, False, True, False]


def test_markdown_has_as_many_fields_in_every_row(results):
    text = as_markdown(results, TABLES)
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1
    assert r"| b\|2 | 60.0 | **61.0 ± 0.0** |  |" in text
    assert "- MVLPT-VPT all-together 1-shot: no score on 1 of 2 tasks (b|2)" in text


def test_latex_is_balanced_and_escaped(results):
    text = as_latex(results, TABLES)
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    for block in text.split(r"\begin{table}")[1:]:
        columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", block)[1])
        for line in re.findall(r".*\\\\$", block, flags=re.M):
            spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + sum(spans) - len(spans) == columns
    assert r"a\_1 & 40.0 & \textbf{55.0 $\pm$ 7.1}" in text
    assert not re.search(r"(?<!\\)[_%#]", text.replace("% needs", ""))


def test_latex_escapes_what_means_something():
    assert latex_escape("grouped → adapted") == r"grouped $\to$ adapted"
    assert latex_escape("a_b & 50% {$x^2$} ~ #1 \\ <|>") == (
        r"a\_b \& 50\% \{\$x\textasciicircum{}2\$\} \textasciitilde{} \#1 \textbackslash{} "
        r"\textless{}\textbar{}\textgreater{}"
    )
    sheet = Sheet("t", (Column(("x",), True), Column(("A", "1")), Column(("A", "2"))), ((Entry("r"),) * 3, None))
    assert r"\multicolumn{2}{c}{A} \\" in latex(sheet)
    assert r"\cmidrule(lr){2-3}" in latex(sheet)
    assert "\nx & 1 & 2 \\\\\n" in latex(sheet)  # a heading of one line stands in the last


def test_latex_has_minus_signs_before_numbers_only():
    sheet = Sheet("t", (Column(("x",), True), Column(("y",))), ((Entry("-1-a"), Entry("-1.5", bold=True)),))
    assert r"-1-a & \textbf{$-$1.5} \\" in latex(sheet)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_latex_compiles(tmp_path):
    odd = "50%_off & {more} #1 ~^x\\y $z <|> größe"
    rows = [zero_shot(task, 40) for task in (odd, "b")]
    rows += [row(task, value, seed, "single") for task in (odd, "b") for seed, value in ((1, 50), (2, 31))][:3]
    (tmp_path / "tables.tex").write_text(as_latex(results_table(rows, groups={odd: odd, "b": "low"}), TABLES))
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{tables.tex}\end{document}"
    (tmp_path / "page.tex").write_text(page)
    line = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:]


def test_markdown_escapes_what_means_something():
    sheet = Sheet("a*b", (Column(("x", "y")),), ((Entry("p_q|<r>", bold=True),),))
    assert markdown(sheet).splitlines() == ["**a\\*b**", "", "| x y |", "|---:|", r"| **p\_q\|\<r>** |"]


def test_csv_and_json_hold_unrounded_numbers(results):
    lines = list(csv.DictReader(io.StringIO(as_csv(results))))
    assert len(lines) == 6
    shared = {line["task"]: line for line in lines if line["arm"] == "all"}
    assert float(shared["a_1"]["mean"]) == pytest.approx(54.98)
    assert float(shared["a_1"]["gain_over_zero_shot"]) == pytest.approx(14.98)
    assert float(shared["a_1"]["gain_over_single"]) == pytest.approx(-0.02)
    assert (shared["b|2"]["mean"], shared["b|2"]["seeds"]) == ("", "")
    assert shared["a_1"]["seeds"] == "1 2"
    parsed = json.loads(as_json(results))
    assert parsed["scores"] == records(results)["scores"]
    assert {"mean_low", "mean_high", "average_rank"} <= parsed["summary"][0].keys()
    assert parsed["tests"][0]["p"] is not None
    assert parsed["notes"]
    assert as_csv(results, "tests").startswith("first,second,tasks,differing,better,worse,mean_difference,")


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_wide_tables_are_cut_and_lose_nothing(width):
    rows = [row(f"task-{i}", i + s, 1, "transfer", group=f"source-{s}") for i in range(3) for s in range(12)]
    results = results_table(rows, split_groups=True)
    text = drawn(rich_tables(results, ("scores",), width=width), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert {f"source-{s}" for s in range(12)} <= set(text.split())
    assert text.count("task-0") == len(sheets(results, ("scores",))[0].parts(width))
    assert ("(continued)" in " ".join(text.split())) == (width < 180)


def test_a_terminal_shows_names_as_they_are():
    results = results_table([row("[red]x[/red]", 1), row("[red]x[/red]", 2, arm="all")])
    text = drawn(rich_tables(results), terminal=False)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\x1b[1m" in drawn(rich_tables(results), terminal=True)


def test_tests_say_where_nothing_differs():
    rows = [row(task, 50, arm=arm) for task in "abc" for arm in ("single", "all")]
    results = results_table([*rows, row("a", 60, arm="grouped"), row("b", 50, arm="grouped")])
    (tests,) = sheets(results, ("tests",))
    assert [line[-2].text for line in tests.rows] == ["equal", "1.00", "1.00"]
    assert "All tests rest on few tasks that differ: with 1 p is at least 1" in results.notes
    assert {one["note"] for one in records(results)["tests"]} >= {"equal on every task"}


def test_shots_stand_in_the_title_unless_they_differ():
    one = sheets(results_table([row("a", 1)]), ("scores",))[0]
    assert "1-shot" in one.title
    assert one.columns[1].lines == ("MVLPT-VPT", "single-task")
    both = sheets(results_table([row("a", 1), row("a", 2, shots=4)]), ("scores", "summary"))
    assert both[0].columns[1].lines[-1] == "1-shot"
    assert [column.lines[0] for column in both[1].columns[:3]] == ["trainer", "arm", "shots"]

"""The report as a file: complete, self-contained, escaped, small; also of what is unfinished, failed or damaged."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.report_folders import FakeExperiment
from support.report_page import Page

from mvlpt import cli
from mvlpt.errors import RunFolderError
from mvlpt.report.page import write_report

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script>&\"'\x1b[31m\u202egpj.exe"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = FakeExperiment(tmp_path_factory.mktemp("report") / "finished").write()
    return write_report(root)


@pytest.fixture(scope="module")
def page(finished):
    return Page(finished.path)


def test_it_has_every_section(finished, page):
    assert finished.problems == ()
    expected = [
        "summary",
        "methods",
        "scores",
        "gains",
        "groups",
        "transfer",
        "curves",
        "schedule",
        "tasks",
        "reproduce",
    ]
    assert page.sections == expected
    assert not page.open


def test_it_needs_nothing_else(page):
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert "url(" not in re.sub(r"url\(#", "", page.content)
    assert not any("style" in attributes for _, attributes in page.elements)
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_ids_are_unique_and_every_link_leads_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for _, attributes in page.elements if attributes.get("href", "").startswith("#")}
    assert links <= set(ids)


def test_figures_and_tables_can_be_read_out(page):
    figures = [attributes for attributes in page.all("svg") if attributes.get("class") == "figure"]
    assert len(figures) >= 10
    assert all(figure["role"] == "img" and len(figure["aria-label"]) > 20 for figure in figures)
    assert all(heading["scope"] in ("row", "col") for heading in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(image["alt"] for image in page.all("img"))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1


def test_the_summary_has_the_numbers(page):
    assert "MVLPT-VPT" in page.words
    assert re.search(r"the best of 7 methods: \d\d\.\d ± \d\.\d % test score in the mean over 5 tasks", page.words)
    assert "All 37 jobs have finished" in page.words


def test_hostile_names_are_text_only(tmp_path):
    experiment = FakeExperiment(
        tmp_path / "x", tasks=(HOSTILE, "b", "c"), classes=(HOSTILE, "$x^2$", "ß"), trainers=("T",)
    )
    experiment._write_graph = lambda: {"g1": list(experiment.tasks)}  # no graph holds such names
    report = write_report(experiment.write())
    page = Page(report.path)
    assert len(page.all("script")) == 1
    assert "<script>alert(1)</script>" in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.content)
    assert "\\u202egpj.exe" in page.words
    for svg in re.findall(r"<svg class=\"figure\".*?</svg>", page.content, re.DOTALL):
        ET.fromstring(svg)


def test_hostile_trainers_and_arms_in_results_are_shown_and_drawn(tmp_path):
    root = FakeExperiment(tmp_path / "x", trainers=("T",), seeds=1, tasks=("a", "b", "猫")).write()
    (root / "plan.json").unlink()
    for file in root.rglob("results.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        rows = [{**row, "trainer": row["trainer"] + HOSTILE + "\ud800", "metric": "acc" + HOSTILE} for row in rows]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = write_report(root)
    assert report.problems == ()
    page = Page(report.path)
    assert len(page.all("script")) == 1
    assert "\\x1b[31m" in page.words
    assert {"gains", "curves", "tasks"} <= set(page.sections)


def test_a_plan_that_names_another_file_as_its_experiment_does_not_show_it(tmp_path):
    root = FakeExperiment(tmp_path / "x", trainers=("T",), seeds=1, tasks=("a", "b")).write()
    secret, experiment = tmp_path / "secret.yaml", tmp_path / "experiment.yaml"
    secret.write_text("password: hidden\n")
    experiment.write_text("tasks: [weather-plain]\ntrainers: [MVLPT-VPT/embedded]  # ours\n")
    for file, shown in ((secret, False), (experiment, True)):
        plan = json.loads((root / "plan.json").read_text())
        plan["facts"]["experiment"] = str(file)
        (root / "plan.json").write_text(json.dumps(plan))
        words = Page(write_report(root).path).words
        assert ("hidden" in words) is False
        assert ("# ours" in words) is shown


def test_a_partly_failed_experiment_says_what_failed_and_what_is_missing(tmp_path):
    root = FakeExperiment(tmp_path / "x", failed=("MVLPT-VPT/all/seed2",), missing=("MVLPT-CoOp/grouped",)).write()
    report = write_report(root)
    page = Page(report.path)
    assert page.sections[:2] == ["summary", "missing"]
    assert "MVLPT-VPT/all/seed2 failed: bad input" in page.words
    assert "error: the weights <b>are</b> missing" in page.words
    assert "1 failed" in page.words
    assert "schedule retry" in page.words
    assert "4 waiting" in page.words


def test_an_experiment_that_has_not_begun_has_a_report_too(tmp_path):
    root = FakeExperiment(tmp_path / "x", missing=("/",)).write()
    page = Page(write_report(root).path)
    assert "No run has a score yet." in page.words
    assert page.sections == ["summary", "missing", "groups", "reproduce"]


def test_runs_whose_training_has_failed_are_named(tmp_path):
    root = FakeExperiment(tmp_path / "x", trainers=("MVLPT-VPT",), seeds=1, tasks=("a", "b")).write()
    file = root / "MVLPT-VPT" / "all" / "seed1" / "metrics.csv"
    head, first, *_, last = file.read_text().splitlines()
    last = ",".join([last.split(",")[0], "9.5", "3", *last.split(",")[3:]])
    file.write_text("\n".join([head, first, last]) + "\n")
    words = Page(write_report(root).path).words
    assert words.count("Training has failed: ") == 1
    assert "MVLPT-VPT/all/seed1: Training has failed: from the first epoch to the last" in words


def test_damaged_files_become_sentences(tmp_path):
    root = FakeExperiment(tmp_path / "x", trainers=("MVLPT-VPT",), seeds=1, tasks=("a", "b")).write()
    run = root / "MVLPT-VPT" / "all" / "seed1"
    (run / "results.jsonl").write_text('{"run": 1}\n')
    (run / "metrics.csv").write_text("a,b\n")
    (run / "evaluation.json").write_text("{")
    (run / "run.json").write_text("[")
    (root / "graph" / "groups.yaml").write_text("groups: 3\n")
    report = write_report(root)
    assert len(report.problems) == 5
    page = Page(report.path)
    assert "problems" in page.sections
    assert all(problem.split(" ")[0] in page.words for problem in report.problems)


def test_a_single_run_and_a_folder_of_runs(tmp_path):
    root = FakeExperiment(tmp_path / "x", trainers=("MVLPT-VPT",), seeds=1, tasks=("a", "b")).write()
    run = Page(write_report(root / "MVLPT-VPT" / "single" / "seed1" / "task0").path)
    assert "methods" not in run.sections
    assert "The run has finished after 3.0 s." in run.words
    assert "TRAINER.NAME: MVLPT-VPT" in run.words
    (root / "plan.json").unlink()
    runs = Page(write_report(root, tmp_path / "runs.html").path)
    assert "All 7 runs have finished" in runs.words
    assert "schedule" not in runs.sections


def test_a_folder_without_runs_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunFolderError, match="name the --output-dir of one"):
            write_report(folder)


def test_one_class_one_task_one_epoch(tmp_path):
    root = FakeExperiment(
        tmp_path / "x", tasks=("a", "b"), classes=("only",), epochs=1, seeds=1, validated=False
    ).write()
    report = write_report(root)
    assert report.problems == ()
    assert "No validation images were scored" in Page(report.path).words


def test_many_classes_show_the_hardest_and_the_most_frequent_confusions(tmp_path):
    root = FakeExperiment(
        tmp_path / "x", tasks=("a", "b"), classes=[f"c{n}" for n in range(60)], trainers=("T",), seeds=1
    ).write()
    words = Page(write_report(root).path).words
    assert "the 40 hardest of 60 classes" in words
    assert "The most frequent confusions of" in words


def test_the_page_stays_small_whatever_the_images_are(tmp_path):
    from mvlpt.report.page.thumbnails import Thumbnails

    root = FakeExperiment(tmp_path / "x", trainers=("T",), seeds=1, tasks=("a", "b")).write()
    image = str(next((root / "images").iterdir()))
    made = Thumbnails(room=1)
    assert made.data(image).startswith("data:image/")
    assert made.data(image) == ""
    assert (made.left_out, made.missing) == (1, [])
    assert Thumbnails().data(str(root / "absent.png")) == ""
    report = write_report(root, tmp_path / "without.html", images=False)
    assert Page(report.path).all("img") == []
    assert "left out" not in Page(report.path).words


def test_the_command_writes_the_file_whole_and_says_where(tmp_path, capsys, monkeypatch):
    root = FakeExperiment(tmp_path / "x", trainers=("T",), seeds=1).write()
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert cli.main(["report", str(root), "--out", str(tmp_path / "sub" / "page.html"), "--open"]) == 0
    assert f"report: {tmp_path}/sub/page.html" in capsys.readouterr().out
    assert opened == [f"file://{tmp_path}/sub/page.html"]
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["page.html"]
    assert cli.main(["report", str(tmp_path / "absent")]) == 2


def test_long_pauses_are_cut_out_of_the_schedule():
    from mvlpt.report.page.sections.schedule import Bar, without_pauses

    bars = [Bar("a", "train", False, 0, 10), Bar("b", "train", False, 5, 30), Bar("a", "train", False, 1030, 1040)]
    shifted, cut = without_pauses(bars)
    assert cut == 1000
    assert [(bar.start, bar.end) for bar in shifted] == [(0, 10), (5, 30), (30, 40)]
    assert without_pauses(bars[:2]) == (bars[:2], 0)


def test_the_ceiling_of_noise_is_low_and_that_of_exact_gains_is_one():
    import numpy as np

    from mvlpt.report.page.sections.transfer import Gain, ceiling

    rng = np.random.default_rng(0)
    exact = [Gain(str(n), 0.0, (n, n, n)) for n in range(20)]
    noise = [Gain(str(n), 0.0, tuple(rng.normal(size=3))) for n in range(200)]
    assert ceiling(exact) == pytest.approx(1)
    assert ceiling(noise) < 0.5
    assert np.isnan(ceiling([Gain("a", 0.0, (1.0,))] * 5))


def test_pairs_are_compared_with_what_was_predicted(tmp_path):
    from mvlpt.report.page.content import Content
    from mvlpt.report.page.sections.transfer import pair_gains

    root = FakeExperiment(tmp_path / "x", trainers=("T",), seeds=1, tasks=("a", "b", "c")).write()
    content = Content(root)
    alone = next(row for row in content.rows if row["arm"] == "single" and row["task"] == "a")
    content.rows.append({**alone, "arm": "transfer", "group": "b", "value": alone["value"] + 3})
    (view,) = content.groupings
    (gain,) = pair_gains(content, view, "T", 1)
    index = {task: row for row, task in enumerate(view.tasks)}
    assert gain.mean == pytest.approx(3)
    assert gain.predicted == view.matrix[index["b"], index["a"]]


def test_sections_are_modules_with_a_template_beside_them():
    from mvlpt.report.page import render
    from mvlpt.report.page.sections import SECTIONS

    folder = Path(render.__file__).parent / "sections"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {
        build.__module__.split(".")[-1] for build in SECTIONS
    }


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    FakeExperiment(tmp_path / "output" / "demo", trainers=("T",), seeds=1, tasks=("a", "b")).write()
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "report.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.startswith("output/demo/report.html ")

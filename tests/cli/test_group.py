"""``mvlpt group`` on tiny tasks: what it writes, what it computes again, and what it says of bad input."""

import json
from functools import partial

import numpy as np
import pytest
from support.grouping import CONFIG, forbid_computing
from support.scores import row

from mvlpt.cli import main
from mvlpt.cli.group_tables import objective_line
from mvlpt.graph import Grouping, TaskGraph, read_groups

TASKS = "toy-warm,toy-cold,toy-all"
FILES = {"task_graph.json", "task_graph.graphml", "groups.yaml", "embeddings"}
PICTURES = {"similarity.png", "similarity.svg", "graph.png", "graph.svg"}


@pytest.fixture
def run(toy_tasks, tmp_path, capsys):
    """Runs the program on the toy tasks; gives its status, and what it printed and complained of."""

    def call(*words, out="graph", data=True):
        given = ["--tasks", TASKS, "--shots", "2", "--seed", "1", "--config-file", CONFIG] if data else []
        status = main(["group", *given, "--out", str(tmp_path / out), *words])
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture
def quick(run):
    return partial(run, "--no-pictures")


@pytest.fixture
def nothing_is_computed(monkeypatch):
    return partial(forbid_computing, monkeypatch)


def one_sentence(err):
    return err.startswith("error: ") and err.count("\n") == 1


def test_writes_graph_groups_and_pictures(run, tmp_path):
    status, out, _ = run()
    assert status == 0
    folder = tmp_path / "graph"
    assert {path.name for path in folder.iterdir()} == FILES | PICTURES
    graph = TaskGraph.load(folder / "task_graph.json")
    assert graph.tasks == ("toy-warm", "toy-cold", "toy-all")
    warm = graph.attributes["toy-warm"]
    assert (warm["classes"], warm["images"], warm["metric"]) == (3, 6, "accuracy")
    grouping = read_groups(folder / "groups.yaml", graph.tasks)
    assert grouping.settings["similarity"] == "visual.centred"
    assert grouping.settings["shots"] == 2
    for task in graph.tasks:
        assert task in out
    assert "3 tasks embedded, 3 pairs of tasks compared" in out
    assert "objective" in out


def test_a_second_run_computes_nothing(run, tmp_path, nothing_is_computed):
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "graph").iterdir() if path.is_file()}
    stamp = (tmp_path / "graph" / "task_graph.json").stat().st_mtime_ns
    nothing_is_computed()
    status, out, _ = run()
    assert status == 0
    assert "up to date, not computed again: 3 embeddings, all similarities" in out
    assert "computed: " not in out
    assert {path: path.read_bytes() for path in (tmp_path / "graph").iterdir() if path.is_file()} == before
    assert (tmp_path / "graph" / "task_graph.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("kind", ["grad", "lookahead"])
def test_affinity_is_kept_in_the_graph(quick, tmp_path, nothing_is_computed, kind):
    status, out, _ = quick("--affinity", kind, "--steps", "1")
    assert status == 0
    assert f"affinity '{kind}.MVLPT-CoOp'" in out
    graph = TaskGraph.load(tmp_path / "graph" / "task_graph.json")
    assert np.isfinite(graph.matrix(f"{kind}.MVLPT-CoOp")).all()
    nothing_is_computed()
    status, out, _ = quick("--affinity", kind, "--steps", "1")
    assert status == 0
    assert "computed: " not in out
    with pytest.raises(AssertionError, match="computed again"):  # another learning rate gives another affinity
        quick("--affinity", kind, "--steps", "1", "OPTIM.LR", "0.5")


def pair_row(task, value, group):
    return row(task, value, arm="pair", trainer="MVLPT-CoOp", group=group, run=f"pair-{group}")


def test_measured_affinity(quick, tmp_path):
    pairs = [("toy-warm", "toy-cold", 5.0), ("toy-warm", "toy-all", -3.0), ("toy-cold", "toy-all", -4.0)]
    rows = [row(task, 50.0, trainer="MVLPT-CoOp") for task in TASKS.split(",")]
    for a, b, gain in pairs:
        rows += [pair_row(task, 50.0 + gain, f"{a}+{b}") for task in (a, b)]
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(one) + "\n" for one in rows))
    status, _, _ = quick("--affinity", "measured", "--results", str(results))
    assert status == 0
    groups = read_groups(tmp_path / "graph" / "groups.yaml").groups
    assert groups == (("toy-cold", "toy-warm"), ("toy-all",))
    results.write_text("".join(json.dumps(one) + "\n" for one in rows[:5]))
    status, _, err = quick("--affinity", "measured", "--results", str(results))
    assert status == 2
    assert one_sentence(err)
    assert "2 of 3 pairs were not measured" in err


def test_a_graph_is_grouped_again_without_the_data(quick, tmp_path, nothing_is_computed):
    quick()
    nothing_is_computed()
    graph = str(tmp_path / "graph" / "task_graph.json")
    status, out, _ = quick("--graph", graph, "--groups", "3", "--similarity", "label", out="again", data=False)
    assert status == 0
    assert "24 tasks" not in out
    assert len(read_groups(tmp_path / "again" / "groups.yaml").groups) == 3
    words = ["--groups", "2", "--must-link", "toy-warm+toy-cold", "--tasks", TASKS]
    assert quick("--graph", graph, *words, out="linked", data=False)[0] == 0
    assert ("toy-cold", "toy-warm") in read_groups(tmp_path / "linked" / "groups.yaml").groups


def test_ctrl_c_leaves_nothing_half_written(quick, tmp_path, monkeypatch):
    from mvlpt.graph.embeddings import embed

    plain, calls = embed.encode_views, []

    def stop_at_the_second(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*args, **options)

    monkeypatch.setattr(embed, "encode_views", stop_at_the_second)
    status, _, err = quick()
    assert status == 130
    assert "interrupted" in err
    assert [path.name for path in (tmp_path / "graph").iterdir()] == ["embeddings"]
    monkeypatch.undo()
    assert "2 tasks embedded" in quick()[1]


ROWS = [row(task, 50.0, trainer="MVLPT-CoOp") for task in TASKS.split(",")]
ROWS += [pair_row(task, 51.0, "toy-warm+toy-cold") for task in ("toy-warm", "toy-cold")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tasks", "toy-wram,toy-cold"], "did you mean 'toy-warm'"),
        (["--groups", "99"], "groups is 99, but there are 3 tasks"),
        (["--groups", "0"], "groups is 0; give a whole number"),
        (["--max-size", "0"], "max_size is 0"),
        (["--groups", "2", "--max-size", "1"], "raise groups to 3, or max_size"),
        (["--max-classes", "1"], "classes, but max_classes is 1"),
        (["--must-link", "toy-warm+toy-cld"], "did you mean 'toy-cold'"),
        (["--must-link", "toy-warm+toy-cold", "--max-size", "1"], "must_link joins 2 tasks"),
        (["--method", "exat"], "did you mean 'exact'"),
        (["--method", "all", "--cannot-link", "toy-warm+toy-cold"], "cannot_link keeps some apart"),
        (["--threshold", "nan"], "threshold is nan"),
        (["--similarity", "visaul"], "did you mean 'visual'"),
        (["--similarity", "label=2,label.chamfer"], "as 'label' and 'label.chamfer'"),
        (["--affinity", "measured", "--results", "ROWS"], "2 of 3 pairs were not measured"),
        (["--fit", "ROWS"], "2 pairs of tasks were measured; weights need at least 3"),
        (["--fit", "nowhere.jsonl"], "no results at nowhere.jsonl"),
        (["--steps", "3"], "--steps is of training"),
        (["--steps", "0", "--affinity", "grad"], "--steps is 0"),
        (["--results", "ROWS"], "--results is read for --affinity measured"),
        (["--raw", "--affinity", "grad"], "--raw"),
        (["--affinity", "grad", "--trainer", "ZeroshotCLIP"], "tunes no prompt that all images share"),
        (["--affinity", "gard"], "did you mean 'grad'"),
        (["--affinity", "measured"], "--results"),
        (["--affinity", "grad", "--similarity", "visual"], "one of --similarity, --affinity"),
        (["--must-link", "toy-warm"], "a+b"),
        (["--must-link", "toy-warm+toy-cold", "--cannot-link", "toy-warm+toy-cold"], "toy-warm"),
        (["--max-classes", "4"], "toy-all"),
        (["--budget", "3"], "--measured"),
        (["--steps", "-1", "--affinity", "grad"], "--steps"),
        (["--config-file", "nowhere.yaml"], "nowhere.yaml"),
        (["DATASET.NUMSHOTS", "3"], "DATASET.NUM_SHOTS"),
        (["--graph", "nowhere.json"], "--config-file"),
        (["--config-file", "", "--backbone", "ViT-B/32", "--groups", "4"], "groups is 4, but there are 3 tasks"),
    ],
)
def test_what_the_tasks_show_is_refused_before_a_model_is_loaded(quick, tmp_path, monkeypatch, words, sentence):
    def refuse(*args, **options):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("mvlpt.experiment.grouping.sources.configured_backbone", refuse)
    results = tmp_path / "rows.jsonl"
    results.write_text("".join(json.dumps(one) + "\n" for one in ROWS))
    status, _, err = quick(*(str(results) if word == "ROWS" else word for word in words))
    assert status == 2
    assert one_sentence(err)
    assert sentence in err
    assert not (tmp_path / "graph").exists()


def test_a_graph_is_not_grouped_in_part(quick, tmp_path):
    quick()
    graph = str(tmp_path / "graph" / "task_graph.json")
    for words in (["--groups", "9"], ["--shots", "1"], ["--seed", "2"], ["SEED", "2"], ["--plugin", "x.py"]):
        status, _, err = quick("--graph", graph, *words, out="again", data=False)
        assert (status, one_sentence(err)) == (2, True)
        assert words[0].lstrip("-") in err
        assert not (tmp_path / "again").exists()


def test_bad_folders_and_files_are_reported(quick, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = quick(out="file")
    assert (status, one_sentence(err), "file" in err) == (2, True, True)
    (tmp_path / "graph").mkdir()
    path = tmp_path / "graph" / "task_graph.json"
    quick(out="other")
    content = json.loads((tmp_path / "other" / "task_graph.json").read_text())
    content["graph"]["version"] = 99
    path.write_text(json.dumps(content))
    for words, data in (([], True), (["--graph", str(path)], False)):
        status, _, err = quick(*words, data=data)
        assert (status, one_sentence(err)) == (2, True)
        assert "99" in err


def test_tasks_without_training_images_or_name_are_reported(toy_tasks, tmp_path, capsys):
    assert main(["group", "--out", str(tmp_path)]) == 2
    assert "--dataset" in capsys.readouterr().err


TABLE = "a,b,c,cost\n3.0,,,1\n,2.0,,1\n,,4.0,1\n2.5,2.2,,1\n,1.5,3.0,1\n2.0,,5.0,1\n"


def test_selection_under_a_budget(tmp_path, capsys):
    """By hand: two sets at most; {a, c} serves a with 2.0 and {b, c} the others with 1.5 and 3.0."""
    (tmp_path / "table.csv").write_text(TABLE)
    words = ["group", "--measured", str(tmp_path / "table.csv"), "--out", str(tmp_path / "out")]
    assert main([*words, "--budget", "2"]) == 0
    assert "total score 6.5 (lower is better), proved optimal" in capsys.readouterr().out
    grouping = read_groups(tmp_path / "out" / "groups.yaml")
    assert grouping.groups == (("a", "c"), ("b", "c"))
    assert grouping.serves == {"a": "g1", "b": "g2", "c": "g2"}
    assert main([*words, "--budget", "3", "--higher-is-better"]) == 0
    assert "total score 10.2 (higher is better)" in capsys.readouterr().out
    assert (
        main([*words, "--budget", "1", "--predict"]) == 0
    )  # means of pairs: (2.5 + 2) / 2, (2.2 + 1.5) / 2, (3 + 5) / 2
    assert "total score 8.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--budget", "1"], "the smallest that can is 2"),
        (["--graph", "g.json"], "--graph means nothing beside --measured"),
        (["--max-size", "3"], "--predict"),
        (["--tasks", "a,b,d"], "'c'"),
        (["SEED", "3"], "'SEED'"),
    ],
)
def test_bad_selections_are_one_sentence(tmp_path, capsys, words, sentence):
    (tmp_path / "table.csv").write_text(TABLE)
    table = str(tmp_path / "table.csv")
    assert main(["group", "--measured", table, "--out", str(tmp_path / "out"), *words]) == 2
    err = capsys.readouterr().err
    assert one_sentence(err)
    assert sentence in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("gap", "words"), [(0, "proved optimal"), (1.563, "156 % below"), (0.0123, "1.2 % below")])
def test_the_gap_to_the_optimum_is_a_plain_number(gap, words):
    assert words in objective_line(Grouping((("a",),), method="single", gap=gap))

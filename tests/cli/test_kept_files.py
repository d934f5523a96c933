"""Files that people may edit are kept, and the command says so; --force replaces them."""

import pytest

from mvlpt.cli import main
from mvlpt.io import is_edited, mark_as_written, replacing_edited, write_unless_edited

GROUP = ["group", "--dataset", "weather-plain,tools-plain,power-plain", "--shots", "1", "--no-pictures", "--quiet"]
HEAD = "format: mvlpt-groups\nversion: 1\n"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    assert main([*GROUP, "--output-dir", str(folder)]) == 0
    return folder / "task_graph.json"


def again(graph, out, *words):
    assert main(["group", "--graph", str(graph), "--output-dir", str(out), "--no-pictures", *words]) == 0
    return (out / "groups.yaml").read_text()


def test_edited_groups_are_kept_and_that_is_said(graph, tmp_path, capsys):
    first = again(graph, tmp_path, "--groups", "1")
    assert again(graph, tmp_path, "--groups", "3") != first  # nobody has edited it
    (tmp_path / "groups.yaml").write_text(HEAD + "groups: {mine: [weather-plain, tools-plain], other: [power-plain]}\n")
    capsys.readouterr()
    assert "mine" in again(graph, tmp_path, "--groups", "2")
    said = capsys.readouterr()
    assert f"{tmp_path}/groups.yaml was edited by hand and is kept; add --force to replace it" in said.err
    assert "mine" not in again(graph, tmp_path, "--groups", "2", "--force")
    assert again(graph, tmp_path, "--groups", "1") == first


def test_a_file_of_which_nothing_is_known_is_kept(graph, tmp_path):
    (tmp_path / "groups.yaml").write_text(HEAD + "groups: {mine: [weather-plain, tools-plain, power-plain]}\n")
    assert "mine" in again(graph, tmp_path, "--groups", "3")


def test_measured_sets_keep_it_too(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("a,b\n1,\n,1\n")
    (tmp_path / "groups.yaml").write_text(HEAD + "groups: {mine: [a, b]}\n")
    words = ["group", "--measured", str(tmp_path / "table.csv"), "--output-dir", str(tmp_path)]
    assert main(words) == 0
    assert "mine" in (tmp_path / "groups.yaml").read_text()
    assert main([*words, "--force"]) == 0
    assert "mine" not in (tmp_path / "groups.yaml").read_text()


def test_the_file_says_itself_whether_it_was_edited(tmp_path):
    file = tmp_path / "a.yaml"
    assert write_unless_edited(file, "one: 1\n")
    assert not is_edited(file)
    assert write_unless_edited(file.rename(tmp_path / "b.yaml"), "two: 2\n")  # wherever it lies
    (tmp_path / "b.yaml").write_text((tmp_path / "b.yaml").read_text() + "three: 3\n")
    assert not write_unless_edited(tmp_path / "b.yaml", "four: 4\n")
    with replacing_edited():
        assert write_unless_edited(tmp_path / "b.yaml", "four: 4\n")
    file.write_text("five: 5\n")
    assert is_edited(file)
    mark_as_written(file)
    mark_as_written(file)
    assert not is_edited(file)
    assert file.read_text().count("\n") == 2
    assert not is_edited(tmp_path / "none.yaml")

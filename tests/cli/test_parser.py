"""How every command reads its words: both spellings, options anywhere, and one line with a suggestion for mistakes."""

import pytest

from mvlpt import cli
from mvlpt.cli.common import command_parser
from mvlpt.cli.group_parser import build_parser as group_parser
from mvlpt.cli.train import build_parser as train_parser
from mvlpt.errors import ConfigError

CONFIG = ["--config-file", "configs/trainers/MVLPT-VPT/embedded.yaml"]
MISTAKES = {
    "option": ("train --datset weather-plain --shots 1", "has no option --datset; did you mean '--dataset'?"),
    "option after an override": ("train --dataset a OPTIM.LR 1 --sots 2", "no option --sots; did you mean '--shots'?"),
    "before what is required": ("experiment --outputdir x", "no option --outputdir; did you mean '--output-dir'?"),
    "unlike any": ("group --qqqqqq 3", "has no option --qqqqqq; `mvlpt group --help` lists them"),
    "of a verb": ("tasks list --rot x", "mvlpt tasks list has no option --rot; did you mean '--root'?"),
    "ambiguous": ("schedule run x --exec local", "--exec may mean --executor or --executor-option"),
    "required": ("experiment --config-file demo.yaml", "--output-dir is missing"),
    "two required": ("experiment", "--config-file and --output-dir are missing"),
    "positional": ("results", "PATH is missing"),
    "verb": ("tasks lst", "there is no 'lst'; did you mean 'list'? `mvlpt tasks --help`"),
    "choice": ("results x --format latx", "--format is 'latx'; did you mean 'latex'? `mvlpt results --help`"),
    "type": ("train --shots one", "--shots takes a whole number, not 'one'"),
    "value": ("train --dataset", "--dataset needs one value"),
    "stray word": ("train weather-plain", "'weather-plain' belongs to no option"),
    "stray word in capitals": ("train --quiet CARS --shots 1", "'CARS' belongs to no option"),
    "root key of nobody": ("train --dataset weather-plain --quiet DEVISE cpu", "unknown key DEVISE"),
    "small letters": ("train --dataset a optim.lr 0.1", "write keys of the configuration in capitals: OPTIM.LR"),
    "too many slots": ("schedule plan x --slots 99999999", "--slots is 99999999; give 1 to 10,000"),
    "workers of the demo": ("demo --workers -1", "--workers is -1; give 1 or more"),
    "no value": ("train --dataset weather-plain OPTIM.LR", "OPTIM.LR has no value"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_line_with_a_remedy(kind, capsys):
    words, expected = MISTAKES[kind]
    assert cli.main(words.split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "usage" not in said.err
    assert expected in said.err
    assert said.out == ""


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != "demo"])
def test_no_command_prints_its_usage_for_an_unknown_option(command, capsys):
    assert cli.main([command, "--outptu-dir", "x"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"mvlpt {command}" in said


@pytest.mark.parametrize(
    ("words", "dataset", "opts"),
    [
        (["--dataset", "a,b"], "a,b", []),
        (["--dataset", "a", "b"], "a,b", []),
        (["--dataset", "a,", "b,", "c"], "a,b,c", []),
        (["--tasks", "a", "b", "--shots", "1"], "a,b", []),
        (["--dataset", "a", "b", "OPTIM.LR", "0.1"], "a,b", ["OPTIM.LR", "0.1"]),
        (["--dataset=a,b", "OPTIM.LR=0.1"], "a,b", ["OPTIM.LR", "0.1"]),
        (["OPTIM.LR=0.1", "SEED", "-1", "--dataset", "a"], "a", ["OPTIM.LR", "0.1", "SEED", "-1"]),
        (["--dataset", "a", "--resume", "OPTIM.LR", "1", "--quiet"], "a", ["OPTIM.LR", "1"]),
        (["--dataset", "a", "--quiet", "DEVICE", "cpu", "ITS=2"], "a", ["DEVICE", "cpu", "ITS", "2"]),
        (["--dataset", "a", "b", "DEVICE=cpu", "--quiet"], "a,b", ["DEVICE", "cpu"]),
        (["--dataset", "a", "CARS", "DTD"], "a,CARS,DTD", []),
        (["--dataset", "a", "TRAINER.X=p=q", "DATASET.ROOT", "--x"], "a", ["TRAINER.X", "p=q", "DATASET.ROOT", "--x"]),
    ],
)  # fmt: skip
def test_options_and_overrides_stand_anywhere(words, dataset, opts):
    args = train_parser().parse_args(words)
    assert (args.dataset, args.opts) == (dataset, opts)


@pytest.mark.parametrize(
    ("build", "words", "field", "value"),
    [
        (train_parser, ["--tasks", "a"], "dataset", "a"),
        (train_parser, ["--out", "x"], "output_dir", "x"),
        (group_parser, ["--dataset", "a"], "tasks", "a"),
        (group_parser, ["--tasks", "a"], "tasks", "a"),
        (group_parser, ["--output-dir", "x"], "out", "x"),
        (group_parser, ["--out", "x"], "out", "x"),
    ],
)
def test_both_spellings_are_understood(build, words, field, value):
    assert getattr(build().parse_args(words), field) == value


def test_the_help_shows_one_spelling():
    for parser in (train_parser(), group_parser()):
        shown = parser.format_help()
        assert "--dataset" in shown
        assert "--output-dir" in shown
        assert "--tasks" not in shown
        assert "--out " not in shown


def test_a_command_of_a_plugin_is_parsed_alike():
    parser = command_parser("mine", "Mine.", "")
    parser.add_argument("--out", required=True)
    assert parser.parse_args(["--output-dir", "x"]).out == "x"
    with pytest.raises(ConfigError, match="no option --outt; did you mean '--out'"):
        parser.parse_args(["--outt", "x"])


@pytest.mark.parametrize("word", ["OPTIM.LR=0.1", "OPTIM.LR 0.1"])
def test_an_option_is_set_either_way(word, capsys):
    words = ["train", *CONFIG, "--dataset", "weather-plain", "--shots", "1", "--seed", "1", "--no-train"]
    assert cli.main([*words, "--quiet", *word.split()]) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "fotos"], "for the folder of this name write 'fotos/'"),
        (["--dataset", "foto/"], "There is no folder foto/ in {here}; did you mean 'fotos/'?"),
        (["--dataset", "x/y/"], "There is no folder x/y/ in {here}, nor x"),
        (["--dataset", "labels.csv"], "labels.csv is a file, not a task; name a folder of class folders, or a task"),
        (["--dataset", "fotis"], "No data set is named 'fotis'; did you mean 'fotos/'?"),
    ],
)  # fmt: skip
def test_names_of_folders_are_not_taken_for_benchmarks(words, expected, tmp_path, monkeypatch, capsys):
    (tmp_path / "fotos" / "sun").mkdir(parents=True)
    (tmp_path / "labels.csv").write_text("path,label\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *CONFIG, "--seed", "1", *words]) == 2
    said = capsys.readouterr().err
    assert expected.format(here=tmp_path) in said
    assert "Oxford" not in said

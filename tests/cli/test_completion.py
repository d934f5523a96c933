"""Shell completion: the script that shtab makes of all parsers, asked as bash asks it."""

import argparse
import shutil
import subprocess

import pytest

from mvlpt import cli
from mvlpt.cli.completion import SHELLS, whole_parser


def test_every_command_has_a_parser_that_completes():
    whole = whole_parser({"bash": "files"}, {"bash": "folders"})
    verbs = next(action for action in whole._actions if isinstance(action, argparse._SubParsersAction))
    assert list(verbs.choices) == list(cli.COMMANDS)
    train = {action.dest: action for action in verbs.choices["train"]._actions}
    assert "MVLPT-VPT" in train["trainer"].choices
    assert train["config_file"].complete == {"bash": "files"}
    assert train["output_dir"].complete == {"bash": "folders"}


@pytest.fixture(scope="module")
def scripts():
    pytest.importorskip("shtab", reason="shtab is not installed: pip install 'mvlpt[completion]'")
    from mvlpt.cli.completion import completion_script

    return {shell: completion_script(shell) for shell in SHELLS}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_can_be_read_by_their_shells(scripts, shell, tmp_path):
    assert "mvlpt" in scripts[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "script"
    file.write_text(scripts[shell])
    subprocess.run([shell, "-n", str(file)], check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ex"], {"experiment", "export"}),
        (["schedule", "st"], {"status"}),
        (["train", "--out"], {"--output-dir"}),
        (["train", "--trainer", "MVLPT-V"], {"MVLPT-VPT"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(scripts, words, expected):
    line = " ".join(f"'{word}'" for word in ["mvlpt", *words])
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _shtab_mvlpt; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-c", f"{scripts['bash']}\n{ask}"], capture_output=True, text=True, check=True, timeout=60
    )
    found = set(done.stdout.split()) - {"-h", "--help"}
    assert found
    assert found <= expected
    assert words[0] in ("ex",) or found == expected


def test_without_shtab_the_message_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "pip install 'mvlpt[completion]'" in capsys.readouterr().err

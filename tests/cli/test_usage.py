"""The usage of every command names it as it was called."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mvlpt import cli

TOOLS = sorted(path for path in Path("tools").glob("*.py"))
VERBS = {"tasks": "list", "submission": "merge", "schedule": "status"}


def usage(words, monkeypatch, capsys, called="mvlpt"):
    monkeypatch.setattr(sys, "argv", [called, *words])
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_usage_names_the_command(command, monkeypatch, capsys):
    assert usage([command], monkeypatch, capsys).startswith(f"usage: mvlpt {command} ")
    verb = VERBS.get(command)
    if verb:
        shown = usage([command, verb], monkeypatch, capsys, called="/somewhere/bin/mvlpt")
        assert shown.startswith(f"usage: mvlpt {command} {verb} ")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_examples_are_commands_that_every_installation_has(command, monkeypatch, capsys):
    assert "python tools/" not in usage([command], monkeypatch, capsys)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.name)
def test_the_usage_names_the_program_in_tools(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(tool), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tool), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {tool.name} ")


def test_an_interruption_while_a_command_is_loaded_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


HELP = """
import sys
from mvlpt import cli
for command in cli.COMMANDS:
    try:
        cli.main([command, "--help"])
    except SystemExit as ended:
        assert not ended.code
    heavy = {"torch", "torchvision", "open_clip", "ray", "matplotlib"} & set(sys.modules)
    assert not heavy, (command, heavy)
"""


def test_help_loads_no_torch():
    ended = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr

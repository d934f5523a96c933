"""Plans of strangers: their commands are shown and need trust."""

from support.cli_plans import job, schedule, write_plan


def test_commands_of_a_strangers_plan_are_shown_and_need_trust(tmp_path, capsys):
    own = ["mvlpt", "tasks", "list", "--family", "embedded"]
    plugin = ["mvlpt", "train", "--plug", "evil.py"]
    root = write_plan(
        tmp_path / "p", job("own", own), job("other\x1b[2J", "touch ran"), job("plugin", plugin),
        job("file", ["mvlpt", "experiment", "--config-file", "x.yaml"]),
    )  # fmt: skip
    words = ("--executor", "inline", "--retries", "0")
    assert schedule("run", root, *words) == 2
    error = capsys.readouterr().err
    assert "3 of its jobs" in error
    assert "--trust" in error
    assert "  other\\x1b[2J: sh -c 'touch ran'" in error
    assert "--plug evil.py" in error
    assert "tasks list" not in error
    assert not (root / "ran").exists()
    assert schedule("run", root, *words, "--trust") == 1
    assert (root / "ran").exists()
    assert schedule("run", root, *words) == 1  # trusted once
    assert "--trust" not in capsys.readouterr().err
    write_plan(root, job("other", "touch more"))
    assert schedule("run", root, *words) == 2  # other commands


def test_a_plan_of_mvlpt_commands_needs_no_trust(tmp_path):
    root = write_plan(tmp_path / "p", job("own", ["mvlpt", "tasks", "list", "--family", "embedded"]))
    (root / "mvlpt.py").write_text("raise SystemExit(9)")  # beside the plan, where jobs run
    assert schedule("run", root, "--executor", "local", "--slots", "1", "--retries", "0") == 0


def test_where_trust_cannot_be_kept_it_is_asked_again(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    root = write_plan(tmp_path / "p", job("other", "true"))
    words = ("--executor", "inline", "--retries", "0")
    assert schedule("run", root, *words, "--trust") == 0
    assert schedule("run", root, *words) == 2

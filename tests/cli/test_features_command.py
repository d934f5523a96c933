"""``mvlpt features``: where the features go."""

from mvlpt.cli import main


def test_features_go_where_a_file_says_or_else_into_the_run(toy_tasks, tmp_path):
    (tmp_path / "own.yaml").write_text(f"DATALOADER: {{FEATURE_DIR: {tmp_path / 'kept'}}}\n")
    words = ["features", "--config-file", "MVLPT-CoOp/embedded", "--dataset", "toy-cold", "--shots", "1", "--seed", "1"]
    words += ["--quiet", "RUN.TENSORBOARD", "False", "--output-dir"]
    assert main([*words, str(tmp_path / "a"), "--dataset-config-file", str(tmp_path / "own.yaml")]) == 0
    assert list((tmp_path / "kept").glob("*.safetensors"))
    assert not list((tmp_path / "a").glob("*.safetensors"))
    assert main([*words, str(tmp_path / "b")]) == 0
    assert list((tmp_path / "b").glob("*.safetensors"))

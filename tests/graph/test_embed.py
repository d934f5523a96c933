"""Task embeddings from images: against a plain loop over open_clip, and what the cache computes again."""

import logging
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from mvlpt.config import get_cfg_default
from mvlpt.config.shipped import find_config
from mvlpt.data import DatasetWrapper, Datum, build_transform
from mvlpt.errors import DataError, GraphError
from mvlpt.graph.embeddings import embed
from mvlpt.graph.embeddings.cache import EmbeddingCache
from mvlpt.graph.embeddings.embed import TaskSource, embed_tasks
from mvlpt.models import load_backbone

TEMPLATES = ("a photo of a {}.", "a drawing of a {}.")
CLASSES = {"warm": ("red", "yellow bar"), "cold": ("blue", "green", "violet")}


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("embedded")


@pytest.fixture(scope="module")
def cfg():
    cfg = get_cfg_default()
    cfg.merge_from_file(find_config("configs/trainers/ZeroshotCLIP/embedded.yaml"))
    cfg.freeze()
    return cfg


@pytest.fixture
def folder(tmp_path):
    """Seven images a task; some of another shape than the model's."""
    rng = np.random.default_rng(0)
    for task in CLASSES:
        (tmp_path / task).mkdir()
        for number in range(7):
            size = (48, 48, 3) if number % 2 else (60, 90, 3)
            Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(tmp_path / task / f"{number}.png")
    return tmp_path


def items_of(folder, task, labels=None):
    labels = labels or [number % len(CLASSES[task]) for number in range(7)]
    return [Datum(str(folder / task / f"{number}.png"), label) for number, label in enumerate(labels)]


def source(cfg, name, items, **other):
    images = DatasetWrapper(cfg, items, transform=build_transform(cfg, is_train=False))
    return TaskSource(name, CLASSES[name], images, **{"templates": TEMPLATES, **other})


def both(cfg, folder):
    return [source(cfg, name, items_of(folder, name)) for name in CLASSES]


@torch.no_grad()
def by_hand(backbone, cfg, items):
    """Unit image features, one image at a time, by open_clip's own forward pass."""
    transform = build_transform(cfg, is_train=False)
    rows = [backbone.model.encode_image(transform(Image.open(item.impath).convert("RGB"))[None])[0] for item in items]
    features = torch.stack(rows).double().numpy()
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@torch.no_grad()
def text_by_hand(backbone, names):
    rows = []
    for name in names:
        features = backbone.model.encode_text(backbone.tokenizer([t.format(name) for t in TEMPLATES])).double()
        mean = (features / features.norm(dim=1, keepdim=True)).mean(0)
        rows.append(mean / mean.norm())
    return torch.stack(rows).numpy()


def test_equals_a_plain_loop(backbone, cfg, folder):
    found = embed_tasks(backbone, both(cfg, folder), batch_size=3).embeddings
    for embedding in found:
        items = items_of(folder, embedding.name)
        features, labels = by_hand(backbone, cfg, items), np.array([item.label for item in items])
        np.testing.assert_allclose(embedding.mean, features.mean(0), atol=1e-5)
        for k in range(len(CLASSES[embedding.name])):
            prototype = features[labels == k].mean(0)
            np.testing.assert_allclose(embedding.prototypes[k], prototype / np.linalg.norm(prototype), atol=1e-5)
        np.testing.assert_allclose(embedding.text, text_by_hand(backbone, CLASSES[embedding.name]), atol=1e-5)
        assert embedding.counts.tolist() == np.bincount(labels).tolist()
        assert embedding.class_names == CLASSES[embedding.name]


def test_images_with_several_labels_count_for_each(backbone, cfg, folder):
    labels = [(0, 2), (0,), (1,), (1, 2), (2,), (0,), ()]
    items = items_of(folder, "cold", labels)
    (found,) = embed_tasks(backbone, [source(cfg, "cold", items)]).embeddings
    features = by_hand(backbone, cfg, items)
    assert found.counts.tolist() == [3, 2, 3]
    second = features[[2, 3]].mean(0)
    np.testing.assert_allclose(found.prototypes[1], second / np.linalg.norm(second), atol=1e-5)
    np.testing.assert_allclose(found.mean, features.mean(0), atol=1e-5)


def test_every_image_is_read_once_and_progress_counts_them(backbone, cfg, folder, monkeypatch):
    calls, seen = [], []
    plain = type(backbone).encode_image
    monkeypatch.setattr(type(backbone), "encode_image", lambda self, x: calls.append(len(x)) or plain(self, x))
    embed_tasks(backbone, both(cfg, folder), batch_size=4, progress=lambda done, total: seen.append((done, total)))
    assert sum(calls) == 14
    assert seen == [(4, 14), (7, 14), (11, 14), (14, 14)]


def test_only_a_changed_task_is_computed_again(backbone, cfg, folder):
    cache = EmbeddingCache(folder / "cache")
    first = embed_tasks(backbone, both(cfg, folder), cache=cache)
    assert first.computed == ("warm", "cold")
    again = embed_tasks(backbone, both(cfg, folder)[::-1], cache=cache)
    assert again.computed == ()
    np.testing.assert_array_equal(again.embeddings[1].covariance, first.embeddings[0].covariance)
    Image.new("RGB", (48, 48), "red").save(folder / "cold" / "3.png")
    assert embed_tasks(backbone, both(cfg, folder), cache=cache).computed == ("cold",)
    warm, cold = both(cfg, folder)
    relabelled = source(cfg, "warm", items_of(folder, "warm", [1, 1, 0, 0, 1, 1, 0]))
    assert embed_tasks(backbone, [relabelled, cold], cache=cache).computed == ("warm",)
    other_words = source(cfg, "cold", items_of(folder, "cold"), templates=TEMPLATES[:1])
    assert embed_tasks(backbone, [warm, other_words], cache=cache).computed == ("cold",)
    renamed = TaskSource("cold", ("blue", "green", "purple"), cold.images, TEMPLATES)
    assert embed_tasks(backbone, [warm, renamed], cache=cache).computed == ("cold",)


def test_a_damaged_file_is_computed_again(backbone, cfg, folder, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mvlpt"), "propagate", True)  # other tests may have set up logging
    cache = EmbeddingCache(folder / "cache")
    embed_tasks(backbone, both(cfg, folder), cache=cache)
    (file,) = (folder / "cache").glob("cold-*.npz")
    file.write_bytes(file.read_bytes()[:500])
    assert embed_tasks(backbone, both(cfg, folder), cache=cache).computed == ("cold",)
    assert "computed again" in caplog.text
    assert zipfile.is_zipfile(file)


def test_an_interrupted_call_keeps_finished_tasks(backbone, cfg, folder, monkeypatch):
    cache = EmbeddingCache(folder / "cache")
    plain, calls = embed.encode_views, []

    def stop_at_the_second(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*args, **options)

    monkeypatch.setattr(embed, "encode_views", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        embed_tasks(backbone, both(cfg, folder), cache=cache)
    monkeypatch.undo()
    assert [path.name.split("-")[0] for path in (folder / "cache").iterdir()] == ["warm"]
    assert embed_tasks(backbone, both(cfg, folder), cache=cache).computed == ("cold",)


def test_one_image_and_one_class_can_be_embedded(backbone, cfg, folder):
    one = TaskSource("cold", ("blue",), source(cfg, "cold", items_of(folder, "cold", [0] * 7)[:1]).images)
    (found,) = embed_tasks(backbone, [one]).embeddings
    assert found.counts.tolist() == [1]
    np.testing.assert_allclose(found.mean, found.prototypes[0], atol=1e-6)
    assert not found.covariance.any()


def test_invalid_input_is_refused(backbone, cfg, folder):
    with pytest.raises(GraphError, match="'cold' has no training images"):
        embed_tasks(backbone, [source(cfg, "cold", [])])
    with pytest.raises(GraphError, match="Two tasks are named 'cold'"):
        embed_tasks(backbone, [source(cfg, "cold", items_of(folder, "cold"))] * 2)
    (folder / "cold" / "2.png").write_bytes(b"no image")
    items = items_of(folder, "cold")
    with pytest.raises(DataError, match=r"'cold' cannot be embedded.*2\.png"):
        embed_tasks(backbone, [source(cfg, "cold", items)])
    (found,) = embed_tasks(backbone, [source(cfg, "cold", items)], on_bad_image="skip").embeddings
    assert found.counts.tolist() == [3, 2, 1]

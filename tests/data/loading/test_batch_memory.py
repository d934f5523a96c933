"""Buffers of batches: each used once at a time, across processes, and free when the last view is gone."""

import gc
import os
import pickle

import pytest
import torch

from mvlpt.data import Datum, build_data_loader, build_transform
from mvlpt.data.loading.batch_memory import BatchMemory, by_value


@pytest.fixture
def memory():
    return BatchMemory(batch_bytes=4 * 24, buffers=2)


def test_a_buffer_is_used_once_until_the_last_view_is_gone(memory):
    first = memory.acquire((2, 3, 4)).tensor()
    second = memory.acquire((1, 3, 4)).tensor()
    first.fill_(1), second.fill_(2)
    assert memory.acquire((2, 3, 4)) is None
    row = first[1]
    del first
    assert memory.acquire((2, 3, 4)) is None
    assert row.tolist() == [[1.0] * 4] * 3
    address = row.data_ptr()
    del row
    third = memory.acquire((2, 3, 4)).tensor()
    assert third[1].data_ptr() == address
    assert second.unique().tolist() == [2.0]


def test_too_large_a_batch_gets_no_buffer(memory):
    assert memory.acquire((2, 3, 5)) is None
    assert memory.acquire((2, 3, 4)) is not None


def test_memory_outlives_its_maker_while_a_batch_is_held(memory):
    held = memory.acquire((2, 3, 4)).tensor().fill_(7)
    del memory
    gc.collect()
    assert held.unique().tolist() == [7.0]


def test_a_batch_written_by_a_child_arrives_as_a_tensor(memory):
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:  # no assertion here: the parent sees what came of it
        handle = memory.acquire((2, 3, 4))
        handle.rows.copy_(torch.arange(24.0).view(2, 3, 4))
        os.write(sender, pickle.dumps({"img": handle, **by_value({"label": torch.tensor([3, 1]), "path": ["a"]})}))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    batch = pickle.loads(os.read(receiver, 4096))
    assert torch.equal(batch["img"], torch.arange(24.0).view(2, 3, 4))
    assert batch["label"].tolist() == [3, 1]
    assert batch["path"] == ["a"]
    other = memory.acquire((2, 3, 4)).tensor()
    assert memory.acquire((2, 3, 4)) is None  # both are out
    del batch
    assert memory.acquire((2, 3, 4)) is not None
    assert other is not None


def test_a_child_that_drops_its_copy_frees_nothing(memory):
    held = [memory.acquire((2, 3, 4)).tensor(), memory.acquire((2, 3, 4)).tensor()]
    child = os.fork()
    if child == 0:
        held.clear()
        os._exit(0 if memory.acquire((2, 3, 4)) is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert memory.acquire((2, 3, 4)) is None


def test_a_process_that_was_not_forked_gets_no_buffer(memory):
    assert pickle.loads(pickle.dumps(memory)) is None


def test_a_lost_lock_stops_nobody(memory, monkeypatch):
    monkeypatch.setattr("mvlpt.data.loading.shared_memory.WAIT", 0.01)
    memory._lock._lock.acquire()
    assert memory.acquire((2, 3, 4)) is None


@pytest.fixture
def make_loader(make_cfg, make_items):
    def make(workers, **options):
        cfg = make_cfg(DATALOADER__NUM_WORKERS=workers, **options)
        items = make_items(per_class=20)
        return build_data_loader(cfg, data_source=items, batch_size=4, tfm=build_transform(cfg))

    return make


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_loader_whose_batches_are_let_go_stays_within_its_memory(make_loader, workers):
    loader, alone = make_loader(workers), make_loader(0, DATALOADER__CACHE_MB=0)
    addresses = set()
    for _ in range(3):
        for batch, wanted in zip(loader, list(alone), strict=True):
            assert torch.equal(batch["img"], wanted["img"])
            addresses.add(batch["img"].data_ptr())
    memory = loader._kept_memory or loader._loader.collate_fn.keywords["memory"]
    inside = {memory._buffers[number].ctypes.data for number in range(len(memory._buffers))}
    assert addresses <= inside
    del batch
    loader.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_held_are_never_written_again(make_loader, workers):
    loader = make_loader(workers)
    held = list(loader)  # more than there are buffers
    copies = [batch["img"].clone() for batch in held]
    list(loader)
    assert all(torch.equal(batch["img"], copy) for batch, copy in zip(held, copies, strict=True))
    loader.close()


def test_buffers_of_a_pass_left_in_the_middle_come_back(make_loader):
    loader = make_loader(2)
    for _ in range(8):
        next(iter(loader))
    memory = loader._loader.collate_fn.keywords["memory"]
    inside = {row.ctypes.data for row in memory._buffers}
    assert {batch["img"].data_ptr() for batch in loader} <= inside
    loader.close()


def test_a_size_that_no_memory_can_hold_is_loaded_all_the_same(make_cfg, make_items, monkeypatch):
    def refuse(*_):
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr("mvlpt.data.loading.shared_memory.mmap.mmap", refuse)
    cfg = make_cfg(DATALOADER__CACHE_MB=0)
    assert len(list(build_data_loader(cfg, data_source=make_items(), batch_size=4, tfm=build_transform(cfg)))) == 3


def test_a_foreign_transform_has_no_memory(make_cfg, make_items):
    cfg = make_cfg(DATALOADER__NUM_WORKERS=1)
    loader = build_data_loader(
        cfg, data_source=[Datum(item.impath, 1) for item in make_items()], tfm=lambda _: torch.ones(2)
    )
    assert [batch["img"].shape for batch in loader] == [(12, 2)]
    loader.close()

"""Orders: functions of seed and epoch alone; shares of tasks; Dassl's samplers."""

from collections import Counter

import pytest

from mvlpt.data import Datum, build_sampler
from mvlpt.data.loading import EpochBatchSampler, TaskBatchSampler
from mvlpt.data.sampling import (
    RandomClassSampler,
    RandomDomainSampler,
    RandomSampler,
    SeqDomainSampler,
    SequentialSampler,
    TaskSampler,
)
from mvlpt.errors import ConfigError


def _items(*per_domain, classes=3):
    return [Datum(f"{d}-{i}", i % classes, d) for d, count in enumerate(per_domain) for i in range(count)]


UNEVEN = _items(40, 12, 5)
EVERY = {
    "random": lambda seed: RandomSampler(UNEVEN, seed),
    "long": lambda seed: RandomSampler(UNEVEN, seed, 130),
    "task": lambda seed: TaskSampler(UNEVEN, seed, 50, float("inf")),
    "domain": lambda seed: RandomDomainSampler(UNEVEN, 4, 2, seed),
    "each domain": lambda seed: SeqDomainSampler(UNEVEN, 6, seed),
    "class": lambda seed: RandomClassSampler(UNEVEN, 6, 3, seed),
}


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_order_depends_on_seed_and_epoch_alone(make):
    first, second = make(1), make(1)
    for epoch in (5, 0, 3):  # in any order
        second.order(epoch)
    orders = [first.order(epoch) for epoch in range(6)]
    assert orders == [second.order(epoch) for epoch in range(6)]
    assert len({tuple(order) for order in orders}) == 6
    assert make(2).order(0) != orders[0]
    first.set_epoch(3)
    assert list(first) == orders[3]


def test_random_and_sequential_visit_everything_once():
    assert sorted(RandomSampler(UNEVEN, 1).order(0)) == list(range(57))
    assert list(SequentialSampler(UNEVEN)) == list(range(57))
    drawn = Counter(RandomSampler(UNEVEN, 1, 130).order(0))
    assert sum(drawn.values()) == 130
    assert set(drawn.values()) == {2, 3}


def test_uniform_visits_every_task_equally_often():
    sampler = TaskSampler(UNEVEN, 1, 50, float("inf"))
    totals = Counter()
    for epoch in range(30):
        order = sampler.order(epoch)
        assert len(order) == 50
        visits = Counter(UNEVEN[i].domain for i in order)
        assert set(visits.values()) <= {16, 17}
        totals += visits
        assert max(Counter(i for i in order if i < 40).values()) == 1  # a task's images before any twice
        assert set(Counter(i for i in order if i >= 52).values()) <= {3, 4}
    assert max(totals.values()) - min(totals.values()) <= 12  # 500 each in the mean


@pytest.mark.parametrize(("temperature", "shares"), [(1, [40, 12, 5]), (2, [40**0.5, 12**0.5, 5**0.5])])
def test_temperature_weighs_tasks_by_a_power_of_their_size(temperature, shares):
    quotas = [
        sum(column) for column in zip(*map(TaskSampler(UNEVEN, 1, 57, temperature).quotas, range(40)), strict=True)
    ]
    for quota, share in zip(quotas, shares, strict=True):
        assert quota / (40 * 57) == pytest.approx(share / sum(shares), abs=0.01)


def test_config_chooses_the_mixing_of_tasks(make_cfg):
    def built(**options):
        cfg = make_cfg(**options)
        return build_sampler("RandomSampler", cfg, UNEVEN, batch_size=8, task_mixing=True)

    assert isinstance(built(), RandomSampler)
    assert len(built()) == 57
    uniform = built(DATALOADER__TASK_SAMPLING="uniform")
    assert (type(uniform), len(uniform)) == (TaskSampler, 56)  # as many full batches as one pass has
    assert uniform.shares == pytest.approx([1 / 3] * 3)
    assert len(built(DATALOADER__TASK_SAMPLING="uniform", DATALOADER__EPOCH_STEPS=3)) == 24
    assert len(built(DATALOADER__EPOCH_STEPS=11)) == 88
    cold = built(DATALOADER__TASK_SAMPLING="temperature", DATALOADER__TASK_TEMPERATURE=1.0)
    assert cold.shares == pytest.approx([40 / 57, 12 / 57, 5 / 57])
    with pytest.raises(ConfigError, match=r"DATALOADER\.EPOCH_STEPS works with SAMPLER RandomSampler only"):
        build_sampler("SequentialSampler", make_cfg(DATALOADER__EPOCH_STEPS=1), UNEVEN, task_mixing=True)


def test_two_purposes_and_two_seeds_have_two_orders(make_cfg):
    orders = {
        tuple(build_sampler("RandomSampler", make_cfg(SEED=seed), UNEVEN, purpose=purpose).order(0))
        for seed, purpose in ((1, "train_x"), (2, "train_x"), (1, "train_u"))
    }
    assert len(orders) == 3


def test_domain_batches_hold_equally_many_images_of_each_domain():
    sampler = RandomDomainSampler(UNEVEN, 6, 2, seed=1)
    order = sampler.order(0)
    assert len(order) % 6 == 0
    assert len(set(order)) == len(order)
    for start in range(0, len(order), 6):
        assert sorted(Counter(UNEVEN[i].domain for i in order[start : start + 6]).values()) == [3, 3]
    order = SeqDomainSampler(UNEVEN, 6, seed=1).order(0)
    assert [UNEVEN[i].domain for i in order] == [0, 0, 1, 1, 2, 2] * 2  # the third domain has 5 images
    assert RandomDomainSampler(UNEVEN, 6, 0).n_domain == 3


def test_class_batches_hold_n_ins_images_of_each_class():
    sampler = RandomClassSampler(UNEVEN, 6, 3, seed=1)
    order = sampler.order(0)
    for start in range(0, len(order), 6):
        assert sorted(Counter(UNEVEN[i].label for i in order[start : start + 6]).values()) == [3, 3]
    few = RandomClassSampler(_items(2, classes=2), 4, 2, seed=1)
    assert sorted(few.order(0)) == [0, 0, 1, 1]  # one image a class: repeated


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: build_sampler("RandomSample", data_source=UNEVEN), "did you mean 'RandomSampler'"),
        (lambda: RandomDomainSampler(UNEVEN, 5, 2), "cannot be divided equally among 2"),
        (lambda: RandomDomainSampler(UNEVEN, 8, 4), "have 3 domains"),
        (lambda: TaskSampler(UNEVEN, 1, 57, 1e-3), "TASK_TEMPERATURE is 0.001, which leaves all draws to the largest"),
        (lambda: SeqDomainSampler(UNEVEN, 30), "domain 2 has only 5"),
        (lambda: RandomClassSampler(UNEVEN, 4, 8), "N_INS is 8"),
        (lambda: RandomClassSampler(UNEVEN, 8, 2), "needs 4 classes"),
    ],
)
def test_impossible_samplers_say_why(make, says):
    with pytest.raises(ConfigError, match=says):
        make()


def test_short_last_batch_is_dropped_only_beside_a_full_one():
    def lengths(items, batch_size, drop_last):
        sampler = EpochBatchSampler(SequentialSampler(items), batch_size, drop_last=drop_last)
        batches = [len(batch) for batch in sampler]
        assert len(batches) == len(sampler)
        return batches

    assert lengths(UNEVEN, 25, True) == [25, 25]
    assert lengths(UNEVEN, 25, False) == [25, 25, 7]
    assert lengths(UNEVEN, 100, True) == [57]
    assert lengths([], 4, True) == []


def test_views_are_new_each_epoch_or_go_round():
    def views(kept, epoch, length=None):
        sampler = EpochBatchSampler(RandomSampler(UNEVEN[:3], 1, length), 3, views=kept)
        sampler.set_epoch(epoch)
        return [view for batch in sampler for _, view in batch]

    assert views(None, 7) == [0, 0, 0]
    assert views(0, 7) == [7, 7, 7]
    assert views(4, 7) == [3, 3, 3]
    assert views(4, 7, 6) == [3, 3, 3, 0, 0, 0]  # drawn a second time: the next view
    twice = views(0, 7, 6)
    assert len(set(twice)) == 2
    assert not set(twice[3:]) & {view for epoch in range(100) for view in views(0, epoch)}


def test_task_batches_hold_one_task_each_and_as_many_steps_as_tasks_alone():
    items = [Datum("x", label=0, domain=domain) for domain, size in enumerate((5, 9, 2)) for _ in range(size)]
    sampler = TaskBatchSampler(RandomSampler(items, 3), 4, drop_last=True, views=0)
    alone = [len(EpochBatchSampler(RandomSampler(items[:n], 3), min(4, n), drop_last=True)) for n in (5, 9, 2)]
    orders = set()
    for epoch in range(5):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        tasks = [{items[position].domain for position, _ in batch} for batch in batches]
        assert all(len(task) == 1 for task in tasks)
        assert [sum(task == {domain} for task in tasks) for domain in range(3)] == alone
        assert len(sampler) == len(batches) == sum(alone)
        drawn = [position for batch in batches for position, _ in batch]
        assert len(set(drawn)) == len(drawn)
        orders.add(tuple(min(task) for task in tasks))
        sampler.set_epoch(epoch, start_batch=2)
        assert list(sampler) == batches[2:]
    assert len(orders) > 1

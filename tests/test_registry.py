"""Registries and random streams."""

import pytest

from mvlpt.errors import UnknownNameError
from mvlpt.randomness import derive_seed, python_stream, torch_stream
from mvlpt.registry import Registry


def test_register_get_and_list():
    registry = Registry("thing")

    @registry.register()
    class First:
        pass

    registry.register(int, name="second")
    assert registry.get("First") is First
    assert registry.registered_names() == ["First", "second"]
    assert "First" in registry
    with pytest.raises(KeyError, match="'First' is registered already"):
        registry.register(float, name="First")
    registry.register(float, name="First", force=True)
    assert registry.get("First") is float


def test_a_wrong_name_suggests_the_nearest():
    registry = Registry("trainer")
    registry.register(int, name="MVLPT-CoOp")
    with pytest.raises(UnknownNameError, match="No trainer is named 'MVLPT-Coop'; did you mean 'MVLPT-CoOp'"):
        registry.get("MVLPT-Coop")


def test_a_family_is_read_only_when_a_name_is_asked_for():
    registry, reads = Registry("task"), []

    def names():
        reads.append("names")
        return ["x", "y"]

    registry.register_family(names, lambda name: f"built {name}")
    assert reads == []
    assert registry.get("y") == "built y"
    assert registry.get("y") is registry.get("y")
    assert set(registry) == {"x", "y"}


def test_streams_depend_on_every_part_and_on_nothing_else():
    assert derive_seed("few-shot", "pets", 4, 1) == derive_seed("few-shot", "pets", 4, 1)
    seeds = [derive_seed(*parts) for parts in (("a", 1), ("a", 2), ("b", 1), (1, "a"), ("a", "1"), ("a", 1, None))]
    assert len(set(seeds)) == len(seeds)
    assert python_stream("a").random() == python_stream("a").random()
    assert torch_stream("a").initial_seed() == derive_seed("a")

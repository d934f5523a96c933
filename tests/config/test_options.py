"""The table of options: what it says holds for the tree, the checks and a run's identity."""

import pytest

from mvlpt.config import OPTIONS, Option, check_config, flatten, get_cfg_default
from mvlpt.engine.identity import config_differences, config_identity
from mvlpt.errors import ConfigError

REFUSED = [
    *((key, "nonsense") for key, option in OPTIONS.items() if option.choices),
    *((key, option.minimum - 1) for key, option in OPTIONS.items() if option.minimum is not None),
    *((key, option.maximum + 1) for key, option in OPTIONS.items() if option.maximum is not None),
]


def with_value(key, value):
    cfg = get_cfg_default()
    node = cfg
    *sections, leaf = key.split(".")
    for section in sections:
        node = node[section]
    node[leaf] = value
    return cfg


def another(option):
    """A value of the option's type that is allowed and is not its default."""
    if option.choices:
        return next(choice for choice in option.choices if choice != option.default)
    if isinstance(option.default, bool):
        return not option.default
    if isinstance(option.default, (int, float)):
        return option.default + 1
    return f"{option.default}x" if isinstance(option.default, str) else type(option.default)(["x", "y"])


def test_the_tree_holds_each_option_of_the_table_and_no_other():
    assert dict(flatten(get_cfg_default())) == {key: option.default for key, option in OPTIONS.items()}


def test_help_is_a_phrase_and_the_default_is_allowed():
    for option in OPTIONS.values():
        assert option.help, option.key
        assert option.help == option.help.strip().rstrip("."), option.key
        assert option.problem(option.default) == ""


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_a_value_that_is_not_allowed_is_refused_by_name(key, value):
    with pytest.raises(ConfigError, match=f"{key} is '?{value}"):
        check_config(with_value(key, value))


def test_a_newer_option_at_its_default_leaves_a_run_what_it_was(monkeypatch):
    before = config_identity(get_cfg_default())
    monkeypatch.setitem(OPTIONS, "OPTIM.NEW", Option("OPTIM.NEW", 1, "an option of a later version", since="0.2.0"))
    later = get_cfg_default()
    assert later.OPTIM.NEW == 1
    assert config_identity(later) == before
    later.OPTIM.NEW = 2
    assert config_identity(later) != before


def test_a_run_is_another_run_exactly_where_results_may_differ():
    default = get_cfg_default()
    identity = config_identity(default)
    for option in OPTIONS.values():
        changed = with_value(option.key, another(option))
        assert (config_identity(changed) != identity) is option.affects_results, option.key
        assert bool(config_differences(default, changed)) is option.affects_results, option.key


def test_a_folder_has_one_identity_however_it_is_spelled():
    identities = set()
    for spelling in ("data/shapes", "data/shapes/", "./data/shapes", "data//shapes"):
        cfg = get_cfg_default()
        cfg.DATASET.DATASET = spelling
        identities.add(config_identity(cfg))
    assert len(identities) == 1

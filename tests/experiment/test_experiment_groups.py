"""Groups of an experiment: for each trainer its own, kept in the folder, and events for whoever wants to show them."""

import pytest
import yaml
from support.grouping import CONFIG, TASKS

from mvlpt.experiment import Experiment
from mvlpt.experiment.events import GroupsFound, Note
from mvlpt.experiment.grouping import (
    GroupingOptions,
    ensure_groups,
    experiment_requests,
    group_experiment,
    preview_groups,
)

pytestmark = pytest.mark.usefixtures("toy_tasks")
TRAINERS = (CONFIG, "configs/trainers/MVLPT-VPT/embedded.yaml")


def experiment(**changes):
    return Experiment(**{"tasks": TASKS, "trainers": TRAINERS, "shots": (1, 2), "seeds": (3, 4), **changes})


def test_by_similarity_all_trainers_have_the_same_groups(tmp_path):
    found = group_experiment(experiment(), tmp_path)
    assert tuple(found) == TRAINERS
    assert found[TRAINERS[0]] is found[TRAINERS[1]]
    assert found[TRAINERS[0]].settings["shots"] == 1
    assert found[TRAINERS[0]].settings["seed"] == 3
    everything = experiment(shots=(-1, 2))
    assert everything.fewest_shots == 2, "-1 stands for all images"
    assert [request.cfg.DATASET.NUM_SHOTS for request in experiment_requests(everything, GroupingOptions())] == [2]
    fixed = group_experiment(experiment(grouping={"file": str(tmp_path / "groups.yaml")}), tmp_path / "unused")
    assert fixed[TRAINERS[1]].groups == found[TRAINERS[1]].groups
    assert not (tmp_path / "unused").exists()


def test_by_affinity_each_trainer_has_its_own(tmp_path):
    found = group_experiment(experiment(grouping={"affinity": "grad", "groups": 2}), tmp_path)
    assert all(len(one.groups) == 2 for one in found.values())
    assert {path.name for path in tmp_path.glob("groups*")} == {"groups-MVLPT-CoOp.yaml", "groups-MVLPT-VPT.yaml"}
    chosen = experiment(grouping={"affinity": "grad", "groups": 2, "trainer": "MVLPT-VPT"})
    assert len({id(one) for one in group_experiment(chosen, tmp_path / "one").values()}) == 1


def test_groups_are_kept_and_events_say_what_happens(tmp_path, capfd):
    events = []
    asked = experiment(grouping={"groups": 2})
    made = ensure_groups(asked, tmp_path, on_event=events.append)
    [found] = events
    assert isinstance(found, GroupsFound)
    assert found.folder == tmp_path / "graph"
    assert found.result.grouping.groups == made[CONFIG].groups
    assert ensure_groups(asked, tmp_path, on_event=events.append)[CONFIG].groups == made[CONFIG].groups
    assert len(events) == 1
    by_hand = {"format": "mvlpt-groups", "version": 1, "groups": {"mine": list(TASKS)}}
    (tmp_path / "graph" / "groups.yaml").write_text(yaml.safe_dump(by_hand))
    assert ensure_groups(asked, tmp_path, on_event=events.append)[CONFIG].names == ("mine",)
    assert isinstance(events[1], Note)
    assert "edited by hand" in events[1].text
    assert capfd.readouterr() == ("", "")


def test_files_of_a_stopped_run_are_not_taken_for_edited_ones(tmp_path):
    asked, events = experiment(grouping={"affinity": "grad", "steps": 1, "groups": 2}), []

    def stop(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # once the first trainer's groups are written
        ensure_groups(asked, tmp_path, on_event=stop)
    ensure_groups(asked, tmp_path, on_event=events.append)
    others = experiment(grouping={"affinity": "grad", "steps": 1, "groups": 1})
    assert preview_groups(asked, tmp_path)[1] is False
    assert preview_groups(others, tmp_path)[1] is True, "the folder's groups are of other inputs"
    mine = tmp_path / "graph" / "groups-MVLPT-CoOp.yaml"
    mine.write_text(mine.read_text().replace("g2:", "mine:"))
    found = ensure_groups(others, tmp_path, on_event=events.append)
    assert [len(found[trainer].groups) for trainer in TRAINERS] == [2, 1]
    assert [str(event) for event in events if isinstance(event, Note)] == [f"groups: {mine}, edited by hand"]


def test_a_preview_computes_nothing(tmp_path):
    groups, stand_in = preview_groups(experiment(grouping={"max_size": 2}), tmp_path)
    assert stand_in
    assert sorted(task for group in groups[CONFIG].groups for task in group) == sorted(TASKS)
    assert max(map(len, groups[CONFIG].groups)) == 2
    assert list(tmp_path.iterdir()) == []

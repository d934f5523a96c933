"""What follows from the tables of the sharing suite: tables of docs/, and the gains that the chooser knows.

    python benchmarks/sharing_pages.py           # after seeds were added: writes what follows from them
    python benchmarks/sharing_pages.py --check   # writes nothing; says whether all is up to date

The tables are those of ``benchmarks/results/sharing.csv`` and ``benchmarks/results/sharing_unused.csv``. The gains go
to ``mvlpt/graph/choice/known_gains.csv``. Choices of the tables that were made with other gains are to be made again
(docs/choosing.md). ``--check`` ends with one JSON line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.marked_tables import ROOT, head, line, with_table, write_or_check
from benchmarks.sharing_known import kept_arms, known_table, markdown
from benchmarks.sharing_statistics import bootstrap, clearly_worse
from benchmarks.sharing_table import CHOSEN, Row, fixed_arms, read_table, score_array, settings

RESULTS = Path(__file__).with_name("results")
KNOWN_GAINS = ROOT / "mvlpt" / "graph" / "choice" / "known_gains.csv"
PARTITIONS = {"all": "all together", "look": "by look", "plain": "plain / the rest", "subject": "by subject"}
SHARED = ("all", *(f"grouped-{name}" for name in PARTITIONS if name != "all"))
SHARES = {"0": "adapted-", "0.25": "keep25-", "0.5": "keep50-", "0.75": "keep75-"}  # of the start; names of arms
Rows = Sequence[Row]


def arms_table(rows: Rows) -> str:
    """Mean accuracy of each arm, shared and adapted with the default share of the start."""
    lines = head(["", "alone", *PARTITIONS.values()])
    for trainer, shots, mine in settings(rows):
        kept = kept_arms(trainer, shots)
        adapted = [f"{arm}-{name}" for name in PARTITIONS for arm in kept]
        scores, _, seeds = score_array(mine, ["single", *SHARED, *adapted])
        means = scores.mean(axis=(1, 2))
        shared, adapted_means = means[:5], means[5:].reshape(len(PARTITIONS), len(kept)).mean(axis=1)
        lines.append(line([f"{_setting(trainer, shots)}, {_seeds(seeds)}, shared", *_plain(shared)]))
        lines.append(line(["then adapted", "", *_plain(adapted_means)]))
    return "\n".join(lines)


def chosen_table(rows: Rows, with_alone: bool) -> str:
    """What the chooser reaches, over alone and below the best fixed arm, with 95 % intervals.

    Args:
        rows: of a table of the suite.
        with_alone: whether there is a column for each task alone.
    """
    alone = ["alone"] if with_alone else []
    gap = "below the best fixed arm"
    lines = head(["", "seeds", *alone, "chosen", "over alone", gap, "tasks more than one standard error below alone"])
    for trainer, shots, mine in settings(rows):
        scores, _, seeds = score_array(mine, [CHOSEN, *fixed_arms(mine)])
        if not seeds:
            continue
        chosen, arms = scores[0], scores[1:]
        found = bootstrap(chosen, arms)
        worse = clearly_worse(chosen, arms[0])
        cells = [_setting(trainer, shots), str(len(seeds))]
        cells += _plain([arms[0].mean()] if with_alone else []) + _plain([chosen.mean()])
        cells += [_interval(found["gain"], "+"), _interval(found["regret"], "")]
        lines.append(line([*cells, f"{worse:.0%}".replace("%", " %") if np.isfinite(worse) else "–"]))
    return "\n".join(lines)


def shares_table(rows: Rows) -> str:
    """Mean accuracy of adapted prompts that keep a share of their start."""
    lines = head(["", "share of the start", "from all together", *list(PARTITIONS.values())[1:]])
    for trainer, shots, mine in settings(rows, ("VPT", "CoOp"), (1, 4)):
        names = fixed_arms(mine)
        shares = {share: prefix for share, prefix in SHARES.items() if f"{prefix}all" in names}
        arms = [f"{prefix}{name}" for prefix in shares.values() for name in PARTITIONS]
        scores, _, seeds = score_array(mine, [*arms, *SHARED])
        means = scores.mean(axis=(1, 2)).reshape(-1, len(PARTITIONS))
        for share, values in zip([*shares, "1, not adapted"], means, strict=True):
            lines.append(line([f"{_setting(trainer, shots)}, {_seeds(seeds)}", share, *_plain(values)]))
    return "\n".join(lines)


def _setting(trainer: str, shots: int) -> str:
    return f"MVLPT-{trainer}, {shots} image{'s' * (shots > 1)}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"


def _plain(values: Sequence[float] | np.ndarray) -> list[str]:
    return [f"{value:.1f}" for value in values]


def _interval(found: Sequence[float], sign: str) -> str:
    value, low, high = (f"{round(one, 1) + 0.0:{sign}.1f}" for one in found)  # + 0.0: no -0.0
    return f"{value} [{low}, {high}]"


def current_files() -> dict[Path, str]:
    """The files as the tables say that they should be."""
    rows, unused = (read_table(RESULTS / f"{name}.csv") for name in ("sharing", "sharing_unused"))
    choosing, experiments = ROOT / "docs" / "choosing.md", ROOT / "docs" / "experiments.md"
    found = {KNOWN_GAINS: known_table(rows)}
    for page, name, text in (
        (choosing, "known gains", markdown(rows)),
        (choosing, "arms", arms_table(rows)),
        (choosing, "chosen", chosen_table(rows, with_alone=False)),
        (choosing, "chosen, other images", chosen_table(unused, with_alone=True)),
        (experiments, "shares of the start", shares_table(rows)),
    ):
        found[page] = with_table(found.get(page) or page.read_text(encoding="utf-8"), name, text)
    return found


def main() -> None:
    """Writes what follows from the tables, or checks it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", "--quick", action="store_true", help="write nothing; say whether all is up to date")
    args = parser.parse_args()
    write_or_check(current_files(), args.check)


if __name__ == "__main__":
    main()

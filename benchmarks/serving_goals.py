"""What benchmarks.serve should show: ratios to the others in the same run, and times."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.contest import Case
from benchmarks.load import Measured
from benchmarks.report import Report
from benchmarks.serving_peers import NAIVE, OTHERS

PROCESSES = 2
EPOCHD, SEVERAL = "epochd", f"epochd, {PROCESSES} processes"
NAIVE_NAMES = [peer.name for peer in NAIVE]
ALL_NAMES = [*NAIVE_NAMES, *(peer.name for peer in OTHERS)]
GOALS = {
    "cnn json c1": (("better naive", ">=", 3), ("p50", "<=", 0.5)),
    "cnn json c16": (("best peer", ">=", 4),),
    "cnn json c64": (("best peer", ">=", 6), ("p99", "<=", 25)),
    "cnn json 64 rows c4": (("best peer", ">=", 5),),
    "gru json c1": (("better naive", ">=", 3),),
    "gru json c16": (("better naive", ">=", 4),),
    "gru json c64": (("better naive", ">=", 15),),
}
"""By case: a ratio of requests/s, or milliseconds."""


def judge(case: Case, found: dict[str, list[Measured]], report: Report) -> None:
    """Add the ratios and goals of a case, for each of Epochd's settings."""
    for one in (EPOCHD, SEVERAL):
        if one not in found:
            continue
        values = {
            "better naive": ratio(case, found, one, NAIVE_NAMES, report),
            "best peer": ratio(case, found, one, ALL_NAMES, report),
            "p50": statistics.median(measured.p50 for measured in found[one]),
            "p99": statistics.median(measured.p99 for measured in found[one]),
        }
        for what, op, goal in GOALS.get(str(case), ()):
            name = f"{case}: {one}" + (f" / {what}" if op == ">=" else f", {what} (ms)")
            if math.isnan(values[what]):
                report.note(f"no goal for {name}: nothing to compare with")
                continue
            report.goal(name, values[what], op, goal)


def ratio(case: Case, found: dict[str, list[Measured]], one: str, others: Sequence[str], report: Report) -> float:
    """Add a row of ``one`` by the fastest of the others, round by round; gives its median, NaN without others."""
    known = [name for name in others if name in found]
    if not known:
        return math.nan
    best = max(known, key=lambda name: statistics.median(measured.rate for measured in found[name]))
    pairs = [ours.rate / theirs.rate for ours, theirs in zip(found[one], found[best], strict=True)]
    name = f"{one} / {best}"
    for row in report.rows:
        if (row.case, row.variant) == (str(case), name):  # the best of all is the better naive one
            return row.median
    return report.row(str(case), name, "ratio", pairs).median

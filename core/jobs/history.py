"""Reading what was recorded: events, metrics (down-sampled in SQL), and both in one order for streams."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, or_, select
from sqlalchemy.orm import Session

from core.tables import JobEvent, Metric

# Built once, and rows, not objects: for each stream they are asked every second, beside a training.
_POINTS = (
    select(Metric.seq, Metric.name, Metric.step, Metric.value)
    .where(Metric.job_id == bindparam("job_id"), Metric.seq > bindparam("seq"), Metric.seq <= bindparam("until"))
    .order_by(Metric.seq, Metric.step, Metric.name)
)
_EVENTS = (
    select(*JobEvent.__table__.columns)
    .where(JobEvent.job_id == bindparam("job_id"), JobEvent.seq > bindparam("seq"), JobEvent.seq <= bindparam("until"))
    .order_by(JobEvent.seq)
)


@dataclass(frozen=True)
class Series:
    """One metric of a job: ``total`` points were measured, ``points`` (step, value) are a faithful choice of them."""

    name: str
    total: int
    points: list[tuple[int, float]]


@dataclass(frozen=True)
class Written:
    """What one write stored: an event, or the metric points measured together, (name, step, value) each."""

    seq: int
    event: JobEvent | None
    points: list[tuple[str, int, float]]


def series(session: Session, job_id: str, names: Sequence[str], max_points: int) -> list[Series]:
    """The metrics of a job, each with at most ``max_points`` points (2 or more).

    The steps are cut into equal groups and the lowest and the highest value of each group are kept, with the first and
    the last point of all, so that no spike and no end is lost.
    """
    wanted = [Metric.job_id == job_id, *([Metric.name.in_(names)] if names else [])]
    counts = select(Metric.name, func.count(), func.min(Metric.step), func.max(Metric.step)).where(*wanted)
    found = []
    for name, total, first, last in session.execute(counts.group_by(Metric.name).order_by(Metric.name)):
        points = _points(session, job_id, name, total, first, last, max_points)
        found.append(Series(name, total, list(points)))
    return found


def _points(
    session: Session, job_id: str, name: str, total: int, first: int, last: int, max_points: int
) -> Sequence[tuple[int, float]]:
    mine = select(Metric.step, Metric.value).where(Metric.job_id == job_id, Metric.name == name)
    if total <= max_points:
        return [(row.step, row.value) for row in session.execute(mine.order_by(Metric.step))]
    if max_points < 4:
        ends = mine.where(Metric.step.in_([first, last])).order_by(Metric.step)
        return [(row.step, row.value) for row in session.execute(ends)]
    group = func.ntile((max_points - 2) // 2).over(order_by=Metric.step)
    grouped = mine.add_columns(group.label("bucket")).subquery()
    within = grouped.c.bucket
    ranked = select(
        grouped.c.step,
        grouped.c.value,
        func.row_number().over(order_by=(grouped.c.value, grouped.c.step), partition_by=within).label("low"),
        func.row_number().over(order_by=(grouped.c.value.desc(), grouped.c.step), partition_by=within).label("high"),
    ).subquery()
    kept = or_(ranked.c.low == 1, ranked.c.high == 1, ranked.c.step.in_([first, last]))
    chosen = select(ranked.c.step, ranked.c.value).where(kept).order_by(ranked.c.step)
    return [(row.step, row.value) for row in session.execute(chosen)]


def written_after(connection: Connection, job_id: str, seq: int, until: int) -> list[Written]:
    """What was written after ``seq`` and up to ``until``, in order; each number is one write, at most.

    ``until`` is no more than a ``last_seq`` that was read before: all up to it is committed, so that two queries see
    the same.
    """
    place = {"job_id": job_id, "seq": seq, "until": until}
    points: dict[int, list[tuple[str, int, float]]] = defaultdict(list)
    for number, name, step, value in connection.execute(_POINTS, place):
        points[number].append((name, step, value))
    found = [Written(number, None, measured) for number, measured in points.items()]
    if len(found) < until - seq:
        found += [Written(row.seq, JobEvent(**row._mapping), []) for row in connection.execute(_EVENTS, place)]
        found.sort(key=lambda one: one.seq)
    return found

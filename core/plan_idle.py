"""Options that would change nothing beside others of the same request, which nobody who gives them expects.

They are looked for when a job is submitted and not where its spec is read: what an earlier release has accepted stays
readable.
"""

from collections.abc import Iterator

from core.plan_layers import PlanError
from core.specs import ConvStage, Network, Schedule, TrainSpec


def check(spec: TrainSpec, kind: str) -> None:
    """PlanError names the first option that this training on samples of ``kind`` would not read.

    By value: what a client gives as it is by default is not refused.
    """
    for pointer, message in (
        *_schedule(spec.hyperparameters.schedule),
        *_network(spec.network),
        *_normalise(spec.data.normalise, kind),
    ):
        raise PlanError(pointer, message)


def _schedule(schedule: Schedule) -> Iterator[tuple[str, str]]:
    usual = Schedule()
    for option, names in (
        ("step_epochs", ("step",)),
        ("gamma", ("step",)),
        ("final_ratio", ("cosine", "one_cycle")),
    ):
        if getattr(schedule, option) != getattr(usual, option) and schedule.name not in names:
            message = f"{option} has no meaning for a {schedule.name} schedule; use {' or '.join(names)}"
            yield f"#/hyperparameters/schedule/{option}", message


def _network(network: Network) -> Iterator[tuple[str, str]]:
    dense, name = (network.hidden, "hidden") if network.family == "cnn" else (network.dense, "dense")
    if network.activation != "relu" and not dense:
        yield "#/network/activation", f"there is no layer in {name} for the activation to follow; leave it out"
    if network.family == "cnn":
        for number, stage in enumerate(network.stages):
            if stage.pool == "none" and stage.pool_size != ConvStage(channels=1).pool_size:
                where = f"#/network/stages/{number}/pool_size"
                yield where, 'pool_size has no meaning with pool "none"; leave it out'


def _normalise(normalise: str | None, kind: str) -> Iterator[tuple[str, str]]:
    if normalise not in (None, "none") and kind in ("text", "corpus"):
        yield "#/data/normalise", "texts are token ids, which are not normalised; leave normalise out"

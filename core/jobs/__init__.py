"""The job machine: the only code that assigns a job's state. Every change is one event row in the same transaction.

The parts, by what they do to a job: :mod:`submit` makes it, :mod:`lease` gives it to a worker and takes it back,
:mod:`record` stores what the worker reports, :mod:`finish` ends an attempt, :mod:`requests` is what users ask for,
:mod:`line` tells the place in line, :mod:`history` reads events and metrics, :mod:`needs` and :mod:`pace` tell what a
job would take.
"""

from core.jobs.events import Event, Lease, Points
from core.jobs.finish import cancelled, fail, hand_back, paused, succeed
from core.jobs.lease import Claim, claim, renew, requeue_expired, take_unsent
from core.jobs.record import CheckpointEntry, checkpoint, record
from core.jobs.requests import cancel, delete, pause, resume
from core.jobs.submit import Accepted, Intake, submit

__all__ = [
    "Accepted",
    "CheckpointEntry",
    "Claim",
    "Event",
    "Intake",
    "Lease",
    "Points",
    "cancel",
    "cancelled",
    "checkpoint",
    "claim",
    "delete",
    "fail",
    "hand_back",
    "pause",
    "paused",
    "record",
    "renew",
    "requeue_expired",
    "resume",
    "submit",
    "succeed",
    "take_unsent",
]

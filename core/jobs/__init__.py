"""The job machine: the only code that assigns a job's state. Every change is one event row in the same transaction.

The parts, by what they do to a job: :mod:`submit`, :mod:`short` and :mod:`replay` make it, :mod:`lease` gives it to a
worker and takes it back, :mod:`record` stores what the worker reports, :mod:`finish` ends an attempt, :mod:`requests`
is what users ask for, :mod:`lanes` says in which of the two lines it stands, :mod:`line` its place there,
:mod:`history` reads events and metrics, :mod:`needs` and :mod:`pace` tell what a training would take,
:mod:`prediction` is what answering a data set needs beside all that.
"""

from core.jobs.events import Event, Lease, Points
from core.jobs.finish import cancelled, explained, fail, hand_back, ingested, paused, predicted, succeed
from core.jobs.lanes import Lane
from core.jobs.lease import Claim, Input, any_left, claim, free_elsewhere, renew, requeue_expired, take_unsent
from core.jobs.prediction import Part, add_part
from core.jobs.record import CheckpointEntry, checkpoint, record
from core.jobs.replay import replay
from core.jobs.requests import cancel, delete, pause, resume
from core.jobs.short import submit_evaluate, submit_explain, submit_ingest
from core.jobs.submit import Accepted, Intake, submit

__all__ = [
    "Accepted",
    "CheckpointEntry",
    "Claim",
    "Event",
    "Input",
    "Intake",
    "Lane",
    "Lease",
    "Part",
    "Points",
    "add_part",
    "any_left",
    "cancel",
    "cancelled",
    "checkpoint",
    "claim",
    "delete",
    "explained",
    "fail",
    "free_elsewhere",
    "hand_back",
    "ingested",
    "pause",
    "paused",
    "predicted",
    "record",
    "renew",
    "replay",
    "requeue_expired",
    "resume",
    "submit",
    "submit_evaluate",
    "submit_explain",
    "submit_ingest",
    "succeed",
    "take_unsent",
]

"""The JSON objects of the API, as types: mypy checks what is sent and OpenAPI is made from the same lines.

Times are RFC 3339 in UTC.
"""

from api.objects.access import Info, Key, NewKey, Session, Worker
from api.objects.catalog import (
    Alias,
    AliasMove,
    Dataset,
    DatasetRef,
    Foretold,
    Generation,
    Input,
    Model,
    ModelVersion,
    Prediction,
    Predictions,
    Sample,
    Served,
)
from api.objects.estimates import Estimate
from api.objects.explanations import Explanation, Player
from api.objects.jobs import (
    Checkpoint,
    Event,
    Explain,
    Failure,
    Ingest,
    Job,
    Kind,
    Layer,
    Metrics,
    Predict,
    Progress,
    Queue,
    Series,
    State,
    WaitingFor,
)

__all__ = [
    "Alias",
    "AliasMove",
    "Checkpoint",
    "Dataset",
    "DatasetRef",
    "Estimate",
    "Event",
    "Explain",
    "Explanation",
    "Failure",
    "Foretold",
    "Generation",
    "Info",
    "Ingest",
    "Input",
    "Job",
    "Key",
    "Kind",
    "Layer",
    "Metrics",
    "Model",
    "ModelVersion",
    "NewKey",
    "Player",
    "Predict",
    "Prediction",
    "Predictions",
    "Progress",
    "Queue",
    "Sample",
    "Series",
    "Served",
    "Session",
    "State",
    "WaitingFor",
    "Worker",
]

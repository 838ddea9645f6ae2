"""What a client asks for: the validated, frozen request models.

Strict on purpose: ``"1"`` is not a number and an unknown field is an error, so that a misspelt option never trains the
wrong network in silence. Whether the data can feed the network is the plan's question (:mod:`core.plan`).
"""

from core.specs.augment import Augment
from core.specs.base import (
    METADATA_KEY,
    NAME_PATTERN,
    NO_NUL,
    DatasetRef,
    Device,
    MetadataKey,
    MetadataValue,
    ModelRef,
    Name,
    PositiveFloat,
    Ratio,
    Spec,
    Task,
)
from core.specs.evaluate import EvaluateJob
from core.specs.explain import ExplainJob, ExplainOptions
from core.specs.ingest import IngestJob, IngestOptions
from core.specs.jobs import TrainJob
from core.specs.network import Activation, Cnn, ConvStage, Network, Rnn
from core.specs.predict import AnswerFormat, Chosen, JobRequest, PredictJob
from core.specs.training import Data, EarlyStopping, Hyperparameters, Monitor, Optimizer, Schedule, Target, TrainSpec

__all__ = [
    "METADATA_KEY",
    "NAME_PATTERN",
    "NO_NUL",
    "Activation",
    "AnswerFormat",
    "Augment",
    "Chosen",
    "Cnn",
    "ConvStage",
    "Data",
    "DatasetRef",
    "Device",
    "EarlyStopping",
    "EvaluateJob",
    "ExplainJob",
    "ExplainOptions",
    "Hyperparameters",
    "IngestJob",
    "IngestOptions",
    "JobRequest",
    "MetadataKey",
    "MetadataValue",
    "ModelRef",
    "Monitor",
    "Name",
    "Network",
    "Optimizer",
    "PositiveFloat",
    "PredictJob",
    "Ratio",
    "Rnn",
    "Schedule",
    "Spec",
    "Target",
    "Task",
    "TrainJob",
    "TrainSpec",
]

"""The tables. Invariants live here as constraints, so that an impossible state cannot be stored by anybody."""

from core.tables.access import ApiKey, IdempotentRequest
from core.tables.base import DATASET_KINDS, ENDED, KINDS, STATES, TASKS, Base
from core.tables.blobs import Blob, BlobChunk
from core.tables.catalog import AliasMove, CatalogRevision, Dataset, Model, ModelAlias, ModelVersion
from core.tables.jobs import Checkpoint, Job, JobEvent, JobInput, JobOutput, Metric, Worker

__all__ = [
    "DATASET_KINDS",
    "ENDED",
    "KINDS",
    "STATES",
    "TASKS",
    "AliasMove",
    "ApiKey",
    "Base",
    "Blob",
    "BlobChunk",
    "CatalogRevision",
    "Checkpoint",
    "Dataset",
    "IdempotentRequest",
    "Job",
    "JobEvent",
    "JobInput",
    "JobOutput",
    "Metric",
    "Model",
    "ModelAlias",
    "ModelVersion",
    "Worker",
]

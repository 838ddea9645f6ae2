"""The tables. Invariants live here as constraints, so that an impossible state cannot be stored by anybody."""

from core.tables.access import ApiKey, IdempotentRequest
from core.tables.base import ENDED, STATES, Base
from core.tables.blobs import Blob, BlobChunk
from core.tables.catalog import AliasMove, CatalogRevision, Dataset, Model, ModelAlias, ModelVersion
from core.tables.jobs import Checkpoint, Job, JobEvent, Metric, Worker

__all__ = [
    "ENDED",
    "STATES",
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
    "Metric",
    "Model",
    "ModelAlias",
    "ModelVersion",
    "Worker",
]

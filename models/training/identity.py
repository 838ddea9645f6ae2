"""Which training a checkpoint belongs to."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import Any

from core.encode import Preprocessing
from core.specs import TrainSpec


def identity(spec: TrainSpec, samples: list[int], preprocessing: Preprocessing, start: str | None) -> str:
    """SHA-256 of what is trained on what; ``samples`` counts those of each split, ``start`` names the first weights.

    What has its default value is left out: a field that a later version adds, with a default that changes nothing,
    makes no other training, and the checkpoints of before the upgrade go on.
    """
    told = spec.model_dump(mode="json", include=set(TrainSpec.model_fields), exclude_defaults=True)
    facts = [told, samples, _told(preprocessing), *([] if start is None else [start])]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _told(value: Any) -> Any:
    """A frozen dataclass as JSON has it, without what has its default value."""
    if not is_dataclass(value):
        return value
    found = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _told(one) for field, one in found if one != field.default}

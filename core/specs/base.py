"""What all request models share: strict types, names, references, metadata."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
DatasetRef = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63}(@[1-9][0-9]{0,8})?|ds_[0-9a-f]{32})$")
]
ModelRef = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9._-]{0,63}|:[1-9][0-9]{0,8})?$",
    ),
]
"""A version of a model: ``name`` (what it serves), ``name@alias`` or ``name:version``."""
Ratio = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Device = Literal["auto", "cpu", "cuda"]
Task = Literal["classification", "regression", "forecast", "language"]
"""What a network learns of a data set: a class, numbers, the next rows of a table, or the next token of a text."""


class Spec(BaseModel):
    """Base of every request model: strict types, no unknown fields, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores no NUL in text."""
METADATA_KEY = r"^[^\[\]\"\\\x00]{1,64}$"
"""Brackets, quotes and backslashes would make the filter ``metadata[key]=value`` ambiguous."""

MetadataKey = Annotated[str, StringConstraints(pattern=METADATA_KEY)]
MetadataValue = Annotated[str, StringConstraints(max_length=512, pattern=NO_NUL)]

"""``:predict`` in the OpenAPI document; FastAPI cannot describe a plain ASGI callable by itself."""

from typing import Any

from api.answers import problems
from api.serving.bodies import AUDIO, IMAGES, MOST_INPUTS, TEXT
from api.serving.predict import PATH

_NUMBER = {"type": "number"}
_ROW = {"type": "array", "items": {"anyOf": [_NUMBER, {"type": "array", "items": _NUMBER}]}}
BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["inputs"],
    "properties": {
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_INPUTS,
            "description": "Raw samples as the dataset has them: an image's rows of pixels from 0 to 255 (or of"
            " channels), a series' numbers (or rows of features), a recording's samples from -32768 to 32767 at the"
            " dataset's rate, or a text. Images have one shape; series may differ"
            " in length where those of the dataset do, up to 4 times its longest.",
            "items": {"anyOf": [{"type": "array", "items": {"anyOf": [_NUMBER, _ROW]}}, {"type": "string"}]},
        }
    },
}
OPERATION: dict[str, Any] = {
    "tags": ["models"],
    "summary": "Predict",
    "operationId": "predict",
    "description": "Ask about samples. Which version answers: what `name` (alias `production`, else the newest that is"
    " ready), `name@alias` or `name:version` means.",
    "parameters": [
        {
            "name": "reference",
            "in": "path",
            "required": True,
            "description": "name, name@alias or name:version",
            "schema": {"type": "string"},
        },
        {
            "name": "top",
            "in": "query",
            "description": "Show only so many classes, the likeliest.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": BODY},
            TEXT: {"schema": {"type": "string"}},
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in (*IMAGES, *AUDIO)},
        },
    },
    "responses": {
        "200": {
            "description": "One prediction for each input, in their order.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}}},
        },
        **{
            str(status): response
            for status, response in problems(
                "not_found", "conflict", "unsupported_media_type", "invalid_request", "overloaded"
            ).items()
        },
    },
}


def add(document: dict[str, Any], schema: dict[str, Any]) -> None:
    """Put the operation into a document; ``schema`` is that of :class:`api.objects.Predictions`, with its parts."""
    parts = schema.pop("$defs", {})
    document["components"]["schemas"].update({**parts, "Predictions": schema})
    document["paths"][PATH] = {"post": OPERATION}

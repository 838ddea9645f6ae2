"""``:predict`` in the OpenAPI document; FastAPI cannot describe a plain ASGI callable by itself."""

from typing import Any

from api.answers import problems
from api.serving.bodies import AUDIO, IMAGES, MOST_INPUTS, MOST_PROMPT, MOST_SEED, MOST_TOKENS, TEXT
from api.serving.numbers import CSV, RAW
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
PROMPT = {
    "type": "object",
    "additionalProperties": False,
    "description": "What a language model is to go on from.",
    "properties": {
        "prompt": {
            "type": "string",
            "maxLength": MOST_PROMPT,
            "default": "",
            "description": "Characters that training never met are read as unknown ones.",
        },
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": MOST_TOKENS, "default": 200},
        "temperature": {
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "default": 0.8,
            "description": "0 takes the likeliest token, 1 the model's own probabilities; larger is bolder.",
        },
        "top_k": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 2**31,
            "description": "Only so many of the likeliest tokens may come; null: all.",
        },
        "seed": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": MOST_SEED,
            "description": "The same seed gives the same text; null: one is drawn, and the answer tells it.",
        },
        "stop": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 64,
            "description": "The text ends before this.",
        },
    },
}
OPERATION: dict[str, Any] = {
    "tags": ["models"],
    "summary": "Predict",
    "operationId": "predict",
    "description": "Ask the version that `name` (alias `production`, else the newest that is ready), `name@alias` or"
    " `name:version` means. A language model goes on from a prompt, all others answer about inputs. Who accepts"
    " `text/event-stream` is sent what a language model writes as it comes: an event `token` with its `text` for each"
    " token, and at last `end` with all of the answer but its text.",
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
        {
            "name": "Prefer",
            "in": "header",
            "description": "wait=N (RFC 7240): after N seconds the answer is of no use any more. What is not computed"
            " by then, or within the server's own limit, is dropped: a 503.",
            "schema": {"type": "string"},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [BODY, PROMPT]}},
            TEXT: {"schema": {"type": "string"}},
            CSV: {"schema": {"type": "string"}},
            RAW: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "A tensor in C order: images as uint8 [N, height, width, channels], series as"
                    " little-endian float32 [N, time, features], of several lengths one [time, features]; the samples"
                    " of one recording as little-endian float32 from -1 to 1 at the dataset's rate.",
                }
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in (*IMAGES, *AUDIO)},
        },
    },
    "responses": {
        "200": {
            "description": "One prediction for each input, in their order; of a language model, its text.",
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/Predictions"},
                            {"$ref": "#/components/schemas/Generation"},
                        ]
                    }
                },
                "text/event-stream": {"schema": {"type": "string"}},
            },
        },
        **{
            str(status): response
            for status, response in problems(
                "not_found", "conflict", "unsupported_media_type", "invalid_request", "overloaded"
            ).items()
        },
    },
}


def add(document: dict[str, Any], schemas: dict[str, dict[str, Any]]) -> None:
    """Put the operation into a document; ``schemas`` are its answers' in :mod:`api.objects`, with their parts."""
    for name, schema in schemas.items():
        parts = schema.pop("$defs", {})
        document["components"]["schemas"].update({**parts, name: schema})
    document["paths"][PATH] = {"post": OPERATION}

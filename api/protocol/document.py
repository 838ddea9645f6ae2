"""Inference and the errors of ``/v2`` in the OpenAPI document."""

from typing import Any

from api.answers import problems
from api.errors import MEDIA_TYPE, protocol_status
from api.protocol.infer import PATH, VERSION_PATH
from api.protocol.request import HEADER, MOST_AXES, MOST_NAME, MOST_SIDE, MOST_TENSORS
from api.protocol.tensors import DATATYPES

TAG = "open inference protocol"
_NAME = {"type": "string", "minLength": 1, "maxLength": MOST_NAME}
_PARAMETERS = {
    "type": ["object", "null"],
    "additionalProperties": {"type": ["boolean", "number", "string"]},
}
_SHAPE = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_AXES,
    "items": {"type": "integer", "minimum": 0, "maximum": MOST_SIDE},
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "InferenceError": {
        "type": "object",
        "description": "An error of the Open Inference Protocol.",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
    "InferenceRequest": {
        "type": "object",
        "description": "Tensors by name. `data` is flat in row-major order, or nested as `shape` is; with the parameter"
        " `binary_data_size` the bytes follow behind the JSON instead.",
        "additionalProperties": False,
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": MOST_NAME},
            "parameters": _PARAMETERS,
            "inputs": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_TENSORS,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": _NAME,
                        "shape": _SHAPE,
                        "datatype": {"type": "string", "enum": list(DATATYPES)},
                        "parameters": _PARAMETERS,
                        "data": {"type": "array", "items": {}},
                    },
                },
            },
            "outputs": {
                "type": ["array", "null"],
                "maxItems": MOST_TENSORS,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {"name": _NAME, "parameters": _PARAMETERS},
                },
            },
        },
    },
    "InferenceResponse": {
        "type": "object",
        "description": "The outputs, each with `data`, flat in row-major order, or with the parameter"
        " `binary_data_size`, and its bytes behind the JSON.",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "datatype": {"type": "string"},
                        "parameters": {
                            "type": "object",
                            "properties": {"binary_data_size": {"type": "integer"}},
                        },
                        "data": {"type": "array", "items": {"type": ["number", "string"]}},
                    },
                },
            },
        },
    },
}
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_LENGTH = {"type": "integer", "minimum": 0}


def _operation(operation: str, path: str) -> dict[str, Any]:
    described = {"name": "name or name@alias", "version": "the number of a version"}
    return {
        "tags": [TAG],
        "summary": "Infer",
        "operationId": operation,
        "description": "Ask about samples in tensors; the model's metadata says which.",
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
                for name, text in described.items()
                if f"{{{name}}}" in path
            ),
            {
                "name": HEADER,
                "in": "header",
                "description": "The number of bytes of the JSON, where tensors follow it.",
                "schema": _LENGTH,
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/InferenceRequest"}},
                **_BINARY,
            },
        },
        "responses": {
            "200": {
                "description": "The outputs that were asked for, or all.",
                "headers": {HEADER: {"description": "As in the request.", "schema": _LENGTH}},
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/InferenceResponse"}},
                    **_BINARY,
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


def add(document: dict[str, Any]) -> None:
    """Put inference into a document; the other routes of the protocol are there already."""
    document["components"]["schemas"].update(SCHEMAS)
    document["paths"][PATH] = {"post": _operation("infer", PATH)}
    document["paths"][VERSION_PATH] = {"post": _operation("inferVersion", VERSION_PATH)}


def refusals(responses: dict[str, Any]) -> dict[str, Any]:
    """The responses of an operation of the protocol, with its own form of errors in the place of problems."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/InferenceError"}}}
    return {
        str(protocol_status(int(status))): {**response, "content": content}
        if MEDIA_TYPE in response.get("content", {})
        else response
        for status, response in responses.items()
    }

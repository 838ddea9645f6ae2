"""The OpenAPI document: what FastAPI makes of the routes, with what is common to all of them said once."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from api.answers import problems, without_null
from api.auth import COOKIE
from api.errors import STATUS, allowed_methods, is_protocol
from api.objects import Generation, Predictions
from api.protocol import document as protocol
from api.serving import document as predictions

PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457). `errors` point into the request.",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": list(STATUS)},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
    },
}
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, ep_<id>_<secret>."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The dashboard's cookie."},
}
OPEN = {
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/v2/health/live"),
    ("get", "/v2/health/ready"),
    ("post", "/v1/session"),
    ("delete", "/v1/session"),
}
"""Operations that never ask who calls."""
REQUEST_ID = {"description": "Names the request in the logs.", "schema": {"type": "string"}}
METHODS = ("get", "head", "post", "put", "patch", "delete")


def install(app: FastAPI, *, keys_required: bool) -> None:
    """Give the app its document, the methods that 405 answers name, and the parameters that are known."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            reference = "#/components/schemas/{model}"
            answers = {one.__name__: TypeAdapter(one) for one in (Predictions, Generation)}
            schemas = {name: one.json_schema(ref_template=reference) for name, one in answers.items()}
            predictions.add(made, schemas)
            protocol.add(made)
            app.openapi_schema = complete(made, keys_required)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the documented way to extend it

    paths = {path: [name.upper() for name in item if name in METHODS] for path, item in document()["paths"].items()}
    app.state.allowed = allowed_methods(paths)
    app.state.parameters = {
        (method.upper(), path): frozenset(_names(operation))
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def _names(operation: dict[str, Any]) -> Iterator[str]:
    """What may stand in the query of an operation; ``metadata[`` for ``metadata[key]``, whatever the key."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            yield parameter["name"]
            if parameter.get("style") == "deepObject":
                yield f"{parameter['name']}["


def complete(document: dict[str, Any], keys_required: bool) -> dict[str, Any]:
    """Add the problems, headers and security that all operations share; mend what FastAPI says of 422."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    document["components"]["securitySchemes"] = SCHEMES
    asked: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = without_null(parameter["schema"])
            codes = ["forbidden", "internal", "unavailable"]
            if (method, path) not in OPEN:
                operation["security"] = asked if keys_required else [{}, *asked]
                codes.append("unauthorized")
            if "422" in operation["responses"] or path.startswith("/v1/"):  # of parameters that are not known
                codes.append("invalid_request")
            if "requestBody" in operation:
                codes.append("payload_too_large")
            _add(operation["responses"], codes)
            if is_protocol(path):
                operation["responses"] = protocol.refusals(operation["responses"])
            for response in operation["responses"].values():
                response.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID
                if method == "head":
                    response.pop("content", None)
    return document


def _add(responses: dict[str, Any], codes: list[str]) -> None:
    for status, response in problems(*codes).items():
        known = responses.get(str(status), {})
        if "application/json" in known.get("content", {}):  # FastAPI's own idea of a 422
            known = {}
        names = dict.fromkeys(name for name in (known.get("description"), response["description"]) if name)
        responses[str(status)] = {**response, "description": ", ".join(names)}

"""``/docs``: the OpenAPI document as a page, made here, so that it works offline and without a script."""

from html import escape
from typing import Any

from api.html import element, table, text

Document = dict[str, Any]
INTRODUCTION = (
    "For tools there is <a href='/openapi.json'>/openapi.json</a>. Errors are problem+json (RFC 9457) with JSON "
    "pointers into the request, on /v2 those of the Open Inference Protocol; lists are pages with a cursor; times are "
    "RFC 3339 in UTC."
)


def render(document: Document) -> str:
    """The body of the page."""
    operations = [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    tags = list(dict.fromkeys(tag for _, _, operation in operations for tag in operation["tags"]))
    operations.sort(key=lambda one: tags.index(one[2]["tags"][0]))
    title = f"{document['info']['title']} {document['info']['version']}"
    parts = [element("h1", text(title)), element("p", INTRODUCTION), _contents(operations)]
    for tag in tags:
        parts.append(element("h2", text(tag.capitalize())))
        parts += [_operation(*one) for one in operations if tag in one[2]["tags"]]
    parts.append(element("h2", "Objects"))
    parts += [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts)


def _contents(operations: list[tuple[str, str, Document]]) -> str:
    lines = [
        element("li", f"<a href='#{escape(operation['operationId'])}'>{method.upper()} {escape(path)}</a>")
        for method, path, operation in operations
    ]
    return element("nav", element("ul", "".join(lines)))


def _operation(method: str, path: str, operation: Document) -> str:
    head = f"<span class='method'>{method.upper()}</span> <code>{escape(path)}</code>"
    parts = [element("h3", head, id_=operation["operationId"]), element("p", text(operation.get("description", "")))]
    rows = []
    for one in operation.get("parameters", []):
        named = f"<code>{escape(one['name'])}</code>" + (" (required)" if one.get("required") else "")
        rows.append([named, one["in"], _kind(one["schema"]), text(one.get("description", ""))])
    parts.append(table(["parameter", "in", "type", ""], rows))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(element("p", f"Body: <code>{escape(media)}</code> {_kind(content['schema'])}"))
    answers = []
    for status, response in sorted(operation["responses"].items()):
        content = "; ".join(
            f"<code>{escape(media)}</code> {_kind(one.get('schema', {}))}"
            for media, one in response.get("content", {}).items()
        )
        answers.append([f"<code>{status}</code>", text(response["description"]), content])
    parts.append(element("details", "<summary>Answers</summary>" + table(["status", "", "body"], answers)))
    return "\n".join(parts)


def _schema(name: str, schema: Document) -> str:
    parts = [element("h3", text(name), id_=f"object-{name}"), element("p", text(schema.get("description", "")))]
    required = schema.get("required", [])
    rows = []
    for field, one in schema.get("properties", {}).items():
        default = f"default <code>{escape(repr(one['default']))}</code> " if "default" in one else ""
        note = default + text(one.get("description", ""))
        rows.append([f"<code>{escape(field)}</code>{'' if field in required else ' (optional)'}", _kind(one), note])
    return "\n".join([*parts, table(["field", "type", ""], rows)])


def _kind(schema: Document) -> str:
    """A schema in a few words, with links to the objects."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"<a href='#object-{escape(name)}'>{escape(name)}</a>"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(_kind(one) for one in schema[union])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " ".join(f"<code>{escape(repr(value))}</code>" for value in values)
    if schema.get("type") == "array":
        inner = schema.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    limits = [f"{sign} {schema[key]}" for key, sign in LIMITS.items() if key in schema]
    kind = schema.get("format") or schema.get("type") or "anything"
    pattern = f" <code>{escape(schema['pattern'])}</code>" if "pattern" in schema else ""
    return escape(" ".join([str(kind), *limits])) + pattern


LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "minLength": "length ≥",
    "maxLength": "length ≤",
}

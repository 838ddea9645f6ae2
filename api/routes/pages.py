"""Pages for people: the documentation, what each error means, and the dashboard that was built into a folder."""

import hashlib
import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api import docs, html
from api.answers import matches
from api.errors import STATUS

DIST = Path(__file__).parents[1] / "dashboard" / "dist"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NOT_BUILT = """
<h1>Epochd is running</h1>
<p>Its dashboard was not built here: run <code>make dashboard</code> and start the service again.</p>
<p>Everything works without it: <a href="/docs">the API</a>, <a href="/v1/jobs">the jobs</a>,
<a href="/readyz?verbose">the state of the service</a>, and <code>epochd --help</code> in a shell.</p>
"""
MEANING = {
    "invalid_request": "Something in the request cannot be right. `errors` points at each place and says what to do.",
    "not_found": "There is nothing of that name, or it is another tenant's.",
    "method_not_allowed": "The path exists, for other methods: see the header `Allow`.",
    "conflict": "The thing is in a state that does not allow this; `detail` says which and what is possible.",
    "idempotency_mismatch": "An Idempotency-Key belongs to one body for 24 hours. Use a new key for a new request.",
    "unauthorized": "Send a valid key as `Authorization: Bearer ep_<id>_<secret>`.",
    "forbidden": "The key does not allow this, or the request came from another site's page.",
    "precondition_failed": "It changed since you looked. Get it again and send its new ETag as `If-Match`.",
    "precondition_required": "Get the thing first and send its ETag as `If-Match`, so that no change is lost.",
    "payload_too_large": "The body is larger than this service takes (EPOCHD_MAX_BODY_BYTES).",
    "unsupported_media_type": "Send one of the media types that `detail` names as `Content-Type`.",
    "range_not_satisfiable": "`Range` begins behind the end of the file; the header `Content-Range` tells its size.",
    "overloaded": "More predictions are under way than this process takes. Try again after `Retry-After` seconds.",
    "unavailable": "The database, or another part that is needed, is away. Try again after `Retry-After` seconds.",
    "disk_full": "The disk under the database is full, so nothing can be stored; reads and predictions go on."
    " Once an operator has made room, all goes on by itself.",
    "internal": "A fault of the service. It was logged under the `request_id`.",
}


async def documentation(request: Request) -> HTMLResponse:
    """``/docs``."""
    return html.document("Epochd API", docs.render(request.app.openapi()))


async def problem(request: Request) -> HTMLResponse:
    """``/problems/{code}``: the ``type`` of every error."""
    code = request.path_params["code"]
    if code not in STATUS:
        raise HTTPException(404)
    status, title = STATUS[code]
    body = html.element("h1", html.text(title)) + html.element("p", f"<code>{code}</code>, HTTP status {status}.")
    return html.document(title, body + html.element("p", html.text(MEANING[code])))


async def not_built(request: Request) -> HTMLResponse:
    """``/`` without a dashboard."""
    return html.document("Epochd", NOT_BUILT)


class File:
    """A file of the dashboard, kept in memory. Names with a hash in them never change."""

    def __init__(self, path: Path, *, immutable: bool) -> None:
        self._data = path.read_bytes()
        self._tag = f'"{hashlib.sha256(self._data).hexdigest()[:32]}"'
        self._type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._cache = "public, max-age=31536000, immutable" if immutable else "no-cache"

    async def respond(self, request: Request) -> Response:
        """The file, or 304."""
        headers = {"ETag": self._tag, "Cache-Control": self._cache, "Content-Security-Policy": POLICY}
        if matches(request.headers.get("if-none-match"), self._tag):
            return Response(status_code=304, headers=headers)
        return Response(self._data, 200, headers, self._type)


def routes(dist: Path = DIST) -> list[Route]:
    """The pages, with one route for each file of the dashboard as it was built when the process started."""
    found = [
        Route("/docs", documentation, include_in_schema=False),
        Route("/problems/{code}", problem, include_in_schema=False),
    ]
    if not (dist / "index.html").is_file():
        return [*found, Route("/", not_built, include_in_schema=False)]
    for path in sorted(one for one in dist.rglob("*") if one.is_file()):
        name = path.relative_to(dist).as_posix()
        file = File(path, immutable=name.startswith("assets/"))
        address = "/" if name == "index.html" else f"/{name}"
        found.append(Route(address, file.respond, include_in_schema=False))
    return found

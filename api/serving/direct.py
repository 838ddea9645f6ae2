"""Small requests for predictions, answered by the connection itself: no task, no scope, no framework.

What is asked again and again is understood once: the path and those headers on which an answer depends are a key, and
what they mean is remembered for as long as the catalog is what it was. All else is left to the application: what is not
understood, and what may take long or has to wait for something.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import unquote

from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.routing import Match, Route
from structlog.contextvars import bound_contextvars

from api.auth import Access
from api.errors import answer
from api.metrics import Counters
from api.serving.batching import Computed
from api.serving.predict import LARGE_ANSWER, Predict, require_finite
from api.serving.versions import Loaded, Version
from api.watch import CatalogWatch
from core import log
from core.errors import EpochdError

MOST_BYTES = 16 * 1024
"""Of a body; what is larger gains too little."""
MOST_KNOWN, MOST_HEAD = 1024, 4096
DEPENDS = frozenset(
    (b"host", b"origin", b"authorization", b"cookie", b"content-type", b"inference-header-content-length")
)
"""The headers on which a direct answer depends; nothing else is shown to who understands it."""
OTHERWISE = frozenset((b"expect", b"transfer-encoding", b"content-encoding", b"upgrade"))
"""A request with one of these headers is the application's."""
Field = tuple[bytes, bytes]
Key = tuple[bytes, tuple[Field, ...]]
Write = Callable[[Computed], tuple[bytes, Sequence[Field]]]
"""Of what was computed: an answer's body and headers."""
Read = Callable[[Version, bytes], tuple[NDArray[Any], Write] | None]
"""Of a version and a body: raw samples, and how their answer is written; null: only the application can."""


class Understands(Protocol):
    """A route whose requests may be answered directly."""

    def understand(self, found: dict[str, str], query: bytes, headers: Headers) -> tuple[str, Read] | None:
        """The reference to a model in a path's parameters, and how bodies are read; null: only the application can.

        Raises:
            EpochdError: there is no answer to it.
        """


@dataclass(frozen=True, slots=True)
class Known:
    """What a head means; ``route`` is the path's template, ``revision`` that of the catalog when it was looked up."""

    revision: int
    tenant: str
    path: str
    route: str
    reference: str
    read: Read


class Asker(Protocol):
    """Who waits for an answer: a request on a connection. ``began`` is a ``perf_counter()``."""

    began: float
    request_id: str

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more."""

    def reply(self, status: int, headers: Sequence[Field], body: bytes) -> None:
        """Send the answer."""


class Direct:
    """Understands heads and answers bodies. For the event loop's thread."""

    def __init__(
        self,
        predict: Predict,
        watch: CatalogWatch,
        access: Access,
        counters: Counters,
        routes: Sequence[tuple[Route, Understands]],
        most_bytes: int,
    ) -> None:
        self._predict, self._watch, self._access, self._counters = predict, watch, access, counters
        self._routes, self._most = routes, min(MOST_BYTES, most_bytes)
        self._known: dict[Key, Known] = {}

    def recognise(self, url: bytes, headers: Sequence[Field]) -> Known | None:
        """What the head of a POST means; null: it is the application's."""
        fields, length = list[Field](), b""
        for field in headers:
            name = field[0]
            if name in DEPENDS:
                fields.append(field)
            elif name == b"content-length":
                length = field[1]
            elif name in OTHERWISE:
                return None
        if not (length.isdigit() and int(length) <= self._most):
            return None
        key = url, tuple(fields)
        known = self._known.get(key)
        try:
            revision = self._watch.revision
            if known is None or known.revision != revision:
                known = self._understand(url, Headers(raw=fields), revision)
                if known is not None:
                    self._remember(key, known)
        except (EpochdError, ValueError):  # the application says it
            return None
        return known

    def _understand(self, url: bytes, headers: Headers, revision: int) -> Known | None:
        raw, _, query = url.partition(b"?")
        path = unquote(raw.decode("latin-1"))
        if b"#" in url or "\0" in path:
            return None
        for route, understands in self._routes:
            match, found = route.matches({"type": "http", "method": "POST", "path": path})
            if match == Match.FULL:
                self._access.check_site(headers)
                tenant = self._access.principal(headers).tenant
                meant = understands.understand(found["path_params"], query, headers)
                return None if meant is None else Known(revision, tenant, path, route.path, *meant)
        return None

    def _remember(self, key: Key, known: Known) -> None:
        url, fields = key
        if len(url) + sum(len(name) + len(value) for name, value in fields) > MOST_HEAD:
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = known

    def begin(self, asker: Asker, known: Known, body: bytes) -> bool:
        """Answer a body, now or when all that came in this turn of the event loop is read.

        False: it may take longer, or nothing is free for it; the application does that.
        """
        loaded = self._predict.versions.kept(known.tenant, known.reference, known.revision)
        if loaded is None or loaded.version.preprocessing.kind == "corpus":
            return False
        if self._predict.is_full(loaded.version.model_id):
            return False
        try:
            read = known.read(loaded.version, body)
        except Exception as error:
            self._refuse(asker, known, loaded.version, error)
            return True
        if read is None:
            return False
        samples, write = read
        if len(samples) * loaded.version.outputs > LARGE_ANSWER or not loaded.batcher.is_quick(samples):
            return False
        self._predict.begin(loaded.version.model_id)
        loaded.batcher.soon(_Question(self, asker, known, loaded, samples, write))
        return True

    def end(self, question: "_Question", computed: Computed | Exception | None) -> None:
        """Answer what was computed; null: nobody waits for it."""
        asker, known, version = question.asker, question.known, question.loaded.version
        self._predict.end(version.model_id)
        if asker.gone:
            self._counters.observe("POST", known.route, 500, perf_counter() - asker.began)
            return
        try:
            if isinstance(computed, Exception):
                raise computed
            assert computed is not None
            require_finite(computed[0])
            body, headers = question.write(computed)
        except Exception as error:
            self._refuse(asker, known, version, error)
            return
        samples, seconds = len(question.samples), perf_counter() - asker.began
        self._predict.served.count(version, samples, seconds)
        asker.reply(200, headers, body)
        self._counters.predictions.add(samples)
        self._counters.observe("POST", known.route, 200, seconds)

    def _refuse(self, asker: Asker, known: Known, version: Version, error: Exception) -> None:
        with bound_contextvars(request_id=asker.request_id):
            if not isinstance(error, EpochdError):
                log.get(__name__).exception("prediction_failed", exc_info=error)
            made = answer({"path": known.path, "state": {"request_id": asker.request_id}}, error)
        self._predict.served.count(version, 0, None)
        asker.reply(made.status_code, made.raw_headers, bytes(made.body))
        self._counters.observe("POST", known.route, made.status_code, perf_counter() - asker.began)


@dataclass(frozen=True, slots=True)
class _Question:
    """A request whose samples wait to be computed."""

    direct: Direct
    asker: Asker
    known: Known
    loaded: Loaded
    samples: NDArray[Any]
    write: Write

    @property
    def gone(self) -> bool:
        return self.asker.gone

    def answer(self, computed: Computed | Exception | None) -> None:
        self.direct.end(self, computed)

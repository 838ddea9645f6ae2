"""One HTTP connection pool to one service: addresses, the key, errors, and what may be sent again after a failure."""

import ipaddress
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from epochd.errors import ApiError, ConnectionFailed, EpochdError

DEFAULT_URL = "http://127.0.0.1:8600"
PAUSES = (0.1, 0.3, 0.9)
"""Seconds between one try and the next."""
LONGEST_RETRY_AFTER = 5.0


def installed_version() -> str:
    """The version of the installed distribution: the whole of Epochd, or its client alone."""
    for distribution in ("epochd", "epochd-client"):
        with suppress(PackageNotFoundError):
            return version(distribution)
    return "unknown"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Transport:
    """Sends requests; an answer with an error status becomes :class:`ApiError`, no answer :class:`ConnectionFailed`.

    A request that never left is tried again a few times. One that may have arrived is sent again only if it is
    ``repeatable``: a read, or a write that carries an Idempotency-Key or changes nothing the second time.
    """

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise EpochdError(f"{url!r} is not an address: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise EpochdError(f"{url!r} is not an address; it looks like {DEFAULT_URL}")
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"epochd/{installed_version()}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # A proxy from the environment cannot reach this machine's own loopback.
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            trust_env=not is_loopback(parsed.host),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        content: bytes | Callable[[], Iterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> httpx.Response:
        """Send and return the whole answer. ``body`` is sent as JSON; None in ``params`` is left out.

        ``content`` is sent as it is; a function is called for each try, and gives the pieces of one too large to hold.

        Raises:
            ApiError: the service refused.
            ConnectionFailed: no answer, also after the tries that are safe.
        """
        again = method in ("GET", "HEAD") if repeatable is None else repeatable
        sent_headers = dict(headers or {})
        if body is not None:
            content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
            sent_headers["Content-Type"] = "application/json"
        query = {name: value for name, value in (params or {}).items() if value is not None}
        for pause in (*PAUSES, None):
            try:
                sent = content() if callable(content) else content
                response = self._http.request(method, path, params=query, content=sent, headers=sent_headers)
            except httpx.TransportError as error:
                never_left = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
                if pause is None or not (again or never_left):
                    raise self.failed(error) from error
                time.sleep(pause)
                continue
            if response.is_success:
                return response
            refusal = ApiError.from_response(response)
            if pause is None or not again or refusal.status != 503:
                raise refusal
            time.sleep(max(pause, min(refusal.retry_after or 0.0, LONGEST_RETRY_AFTER)))
        raise AssertionError("the last try returns or raises")

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Like :meth:`send`, and read the answer's JSON."""
        return self.decoded(self.send(method, path, **options))

    def decoded(self, response: httpx.Response) -> Any:
        """The JSON of an answer."""
        try:
            return response.json()
        except ValueError as error:
            raise ConnectionFailed(self.url, "what answers there does not speak Epochd's JSON") from error

    @contextmanager
    def open(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        read_timeout: float,
        allow: tuple[int, ...] = (),
        method: str = "GET",
        body: object = None,
    ) -> Generator[httpx.Response, None, None]:
        """An answer that is read as it comes. One try; errors as in :meth:`send`, also while it is read.

        ``body`` is sent as JSON. Error statuses in ``allow`` are the caller's to handle.
        """
        limits = httpx.Timeout(10.0, connect=5.0, read=read_timeout)
        try:
            with self._http.stream(method, path, headers=dict(headers), timeout=limits, json=body) as response:
                if response.is_error and response.status_code not in allow:
                    response.read()
                    raise ApiError.from_response(response)
                yield response
        except httpx.TransportError as error:
            raise self.failed(error) from error

    def failed(self, error: httpx.TransportError) -> ConnectionFailed:
        """The same failure in words for a user."""
        if isinstance(error, (httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout)):
            reason = "no answer in time"
        elif isinstance(error, httpx.ConnectError):
            reason = "nothing answers there" if "refused" in str(error).lower() else str(error)
        else:
            reason = f"the connection was lost: {error}" if str(error) else "the connection was lost"
        return ConnectionFailed(self.url, reason)

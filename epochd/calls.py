"""What every group of calls stands on: one transport, and lists read page by page."""

import os
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from epochd.errors import EpochdError
from epochd.transport import DEFAULT_URL, Transport

PAGE = 100


class Calls:
    """Base of the groups of calls that make up the client."""

    def __init__(self, url: str | None = None, key: str | None = None, timeout: float = 30.0) -> None:
        address = url or os.environ.get("EPOCHD_URL") or DEFAULT_URL
        self._transport = Transport(address, os.environ.get("EPOCHD_API_KEY") if key is None else key, timeout)

    @property
    def url(self) -> str:
        """The service's address."""
        return self._transport.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def _pages(self, path: str, params: Mapping[str, Any]) -> Generator[Any, None, None]:
        after: str | None = None
        while True:
            page = self._transport.json("GET", path, params={**params, "limit": PAGE, "after": after})
            yield from page["data"]
            after = page["next_cursor"]
            if not page["has_more"] or after is None:
                return


def segment(text: str) -> str:
    """One segment of a URL's path, whatever the text holds.

    Raises:
        EpochdError: the text cannot be a segment (it is empty or dots).
    """
    if text in ("", ".", ".."):
        raise EpochdError(f"{text!r} is not an id or a name")
    return quote(text, safe="@:")

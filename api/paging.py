"""Lists: a limit, and a cursor that names the last thing seen (keyset), so that inserts never shift a page."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query, Request, Response
from typing_extensions import TypedDict

from api.answers import conditional

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
IdCursor = Annotated[
    str | None,
    Query(pattern=r"^[a-z]{2,8}_[0-9a-f]{32}$", description="`next_cursor` of the page before."),
]
NumberCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before.")]
NameCursor = Annotated[
    str | None,
    Query(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="`next_cursor` of the page before."),
]
LINK = {"Link": 'The next page as `<...>; rel="next"`, when there is one.'}


class Page(TypedDict, Generic[T]):
    """A page of a list. ``next_cursor`` is what to send as ``after``; null on the last page."""

    object: Literal["list"]
    data: list[T]
    has_more: bool
    next_cursor: str | None


def page(
    request: Request, rows: Sequence[Any], limit: int, cursors: Sequence[str], *, stored: Sequence[Any] | None = None
) -> Response:
    """The answer for ``limit`` + 1 rows that were asked for: one more than sent says that there is more.

    ``cursors`` are the cursors of the rows, ``stored`` the rows without what was counted (:func:`conditional`).
    """
    more = len(rows) > limit
    cursor = cursors[limit - 1] if more else None
    body = {"object": "list", "data": rows[:limit], "has_more": more, "next_cursor": cursor}
    named = None if stored is None else {**body, "data": stored[:limit]}
    if cursor is None:
        return conditional(request, body, stored=named)
    following = request.url.include_query_params(after=cursor)
    address = f"{following.path}?{following.query}"
    return conditional(request, body, {"Link": f'<{address}>; rel="next"'}, stored=named)

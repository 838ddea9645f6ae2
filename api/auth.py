"""Who asks: an API key in ``Authorization: Bearer`` or in the dashboard's cookie, or anybody on this very machine."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from api.watch import CatalogWatch
from core.catalog import keys
from core.errors import Forbidden, Unauthorized
from core.settings import is_loopback

COOKIE = "epochd_session"


@dataclass(frozen=True)
class Principal:
    """The caller: whose things it sees, what it is called in histories, and whether it administers the service.

    ``key_id`` is null for the local user, who needs no key.
    """

    tenant: str
    name: str
    admin: bool
    key_id: str | None


LOCAL = Principal("default", "local", True, None)
"""Whoever reaches a service that is bound to loopback and asks for no keys."""


class Access:
    """Decides who a request is from; looks at memory only."""

    def __init__(self, watch: CatalogWatch, keys_required: bool) -> None:
        self._watch = watch
        self.keys_required = keys_required

    def check_site(self, headers: Headers) -> None:
        """Without keys, refuse what another site's page made a browser send (DNS rebinding, cross-site requests).

        Raises:
            Forbidden: Host is not this machine, or Origin is another site.
        """
        if self.keys_required:
            return
        host = headers.get("host", "")
        if not is_loopback(_name(host)):
            raise Forbidden(
                f"this service asks for no keys, so it answers only to names of this machine, not to {host!r}"
            )
        same_origin(headers)

    def principal(self, headers: Headers) -> Principal:
        """Who asks.

        Raises:
            Unauthorized: no key where one is required, or not a valid one.
            Forbidden: the cookie came from another site's page.
            Unavailable: the keys have been unknown for too long.
        """
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthorized("send the key as Authorization: Bearer ep_<id>_<secret>")
            return self.of_key(key)
        key = _cookie(headers)
        if key:
            same_origin(headers)
            try:
                return self.of_key(key)
            except Unauthorized:
                # Cookies know no ports: this one may be that of another service on this machine.
                if self.keys_required:
                    raise
        if self.keys_required:
            raise Unauthorized("an API key is required: Authorization: Bearer ep_<id>_<secret>")
        return LOCAL

    def of_key(self, text: str) -> Principal:
        """The owner of a key.

        Raises:
            Unauthorized: not a valid key.
        """
        key_id, digest = keys.parse(text)
        row = keys.check(self._watch.key(key_id), digest)
        return Principal(row.tenant, row.name, row.admin, row.id)


def same_origin(headers: Headers) -> None:
    """Refuse what a page of another origin sent.

    Raises:
        Forbidden: Origin is there and is not this host and port.
    """
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Forbidden(f"pages of {origin} may not use this service")


def _name(host: str) -> str:
    """The host of a Host header, without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""

"""Every error that a user can meet, each with a stable code. The API maps them to HTTP once, in ``api/errors.py``.

* EpochdError
  + Invalid (also a ValueError): the request cannot be right; carries JSON pointers
  + NotFound
  + Conflict: the state of things does not allow it
    - IdempotencyMismatch
  + Unauthorized, Forbidden
  + PreconditionFailed, PreconditionRequired
  + UnsupportedMedia, TooLarge
  + Overloaded, Unavailable: come back later
  + LeaseLost: a worker's claim on a job is over (never reaches HTTP)
"""

from typing import ClassVar


class EpochdError(Exception):
    """Base of all; ``message`` is a sentence for the user."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(EpochdError, ValueError):
    """Something in the request is wrong. ``errors`` are (JSON pointer, sentence) pairs."""

    code = "invalid_request"

    def __init__(self, message: str, pointer: str = "#", *, errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or [(pointer, message)]


class NotFound(EpochdError):
    """There is no such thing (or it belongs to another tenant)."""

    code = "not_found"


class Conflict(EpochdError):
    """The state of the thing does not allow this now."""

    code = "conflict"


class IdempotencyMismatch(Conflict):
    """The Idempotency-Key was used before for another request."""

    code = "idempotency_mismatch"


class Unauthorized(EpochdError):
    """No key, or one that is not valid."""

    code = "unauthorized"


class Forbidden(EpochdError):
    """The caller may not do this."""

    code = "forbidden"


class PreconditionFailed(EpochdError):
    """If-Match names a version that is no longer the current one."""

    code = "precondition_failed"


class PreconditionRequired(EpochdError):
    """This change needs an If-Match header."""

    code = "precondition_required"


class UnsupportedMedia(EpochdError):
    """The Content-Type is not one this route reads."""

    code = "unsupported_media_type"


class TooLarge(EpochdError):
    """The body is larger than the limit."""

    code = "payload_too_large"


class Overloaded(EpochdError):
    """Too many requests are under way; try again after ``retry_after`` seconds."""

    code = "overloaded"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(EpochdError):
    """The database cannot be reached."""

    code = "unavailable"


class LeaseLost(EpochdError):
    """The job was given to somebody else, or is no longer running: stop working on it."""

    code = "lease_lost"

"""What can go wrong for a client.

* EpochdError
  + ApiError: the service answered with an error (a problem+json); ``code`` is stable, ``errors`` has JSON pointers
  + ConnectionFailed: no (whole) answer came
  + JobNotFinished: ``wait`` ran out of time; the job goes on
  + DownloadCorrupt: what arrived is not what the service said it would send
"""

import json
from typing import Any, TypedDict

import httpx


class FieldError(TypedDict):
    """One thing wrong in a request: a JSON pointer into its body, and a sentence."""

    pointer: str
    detail: str


class EpochdError(Exception):
    """Base of all; its text is a sentence for the user."""


class ApiError(EpochdError):
    """The service refused. The fields are those of RFC 9457 and ours; see ``/problems/<code>`` on the server."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        errors: list[FieldError] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors or []
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds after which to come back, if the service said so."""

    @classmethod
    def from_response(cls, response: httpx.Response) -> "ApiError":
        """Read a problem+json answer; anything else (a proxy's page) becomes the code ``http_<status>``."""
        problem: dict[str, Any] = {}
        if "json" in response.headers.get("content-type", ""):
            try:
                body = response.json()
            except json.JSONDecodeError:
                body = None
            problem = body if isinstance(body, dict) else {}
        wait = response.headers.get("retry-after", "")
        return cls(
            status=response.status_code,
            code=str(problem.get("code") or f"http_{response.status_code}"),
            title=str(problem.get("title") or response.reason_phrase or "error"),
            detail=str(problem.get("detail") or ""),
            errors=[
                FieldError(pointer=str(e["pointer"]), detail=str(e["detail"])) for e in problem.get("errors") or []
            ],
            request_id=problem.get("request_id") or response.headers.get("x-request-id"),
            retry_after=float(wait) if wait.isdigit() else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able data."""
        return {
            "status": self.status,
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "errors": self.errors,
            "request_id": self.request_id,
        }


class ConnectionFailed(EpochdError):
    """The service cannot be reached, or went away in the middle of an answer."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot reach Epochd at {url} ({reason})")
        self.url = url
        self.reason = reason


class JobNotFinished(EpochdError, TimeoutError):
    """The time given to ``wait`` is over. The job is not touched: it goes on."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(f"{job_id} has not ended within {seconds:g} seconds; it goes on")
        self.job_id = job_id


class DownloadCorrupt(EpochdError):
    """A downloaded file's SHA-256 is not the one the service told; the file was thrown away."""

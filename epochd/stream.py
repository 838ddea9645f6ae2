"""A job's live history: server-sent events, read across lost connections and restarts of the service."""

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from epochd.errors import ApiError, ConnectionFailed
from epochd.resources import Event, Point
from epochd.transport import Transport

SILENCE = 40.0
"""Seconds without a byte after which a connection counts as dead (the service sends a comment more often)."""
LONGEST_PAUSE = 5.0


@dataclass(frozen=True, kw_only=True)
class Update:
    """One step of a job's history: an event, or new points of its metrics. ``seq`` never falls.

    After an event of type ``rewound`` points with a larger step than its ``data["step"]`` are void: the job went back
    to a checkpoint and will report them anew.
    """

    seq: int
    event: Event | None = None
    points: list[Point] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One server-sent event as the wire has it."""

    id: str
    event: str
    data: str


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a byte stream. Not ``str.splitlines``: that also cuts at characters that JSON may hold raw."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode()


def messages(lines: Iterable[str]) -> Iterator[Message | None]:
    """Parse the lines of an event stream (HTML standard, 9.2.6). None stands for a comment: a sign of life."""
    event_id, event, data = "", "message", list[str]()
    for line in lines:
        if line == "":
            if data:
                yield Message(id=event_id, event=event, data="\n".join(data))
            event, data = "message", []
        elif line.startswith(":"):
            yield None
        else:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id" and "\0" not in value:
                event_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)


def follow(
    transport: Transport,
    job_id: str,
    *,
    after: int,
    patience: float,
    deadline: float | None = None,
    on_lost: Callable[[ConnectionFailed], None] | None = None,
) -> Generator[Update, None, None]:
    """Everything after sequence number ``after``, each thing once and in order, until the job has ended.

    A lost connection is opened again, with pauses that grow to five seconds, asking for what comes after the last thing
    seen; ``on_lost`` is told each time. ``deadline`` (monotonic clock) ends the generator early.

    Raises:
        ApiError: the service refused, e.g. there is no such job.
        ConnectionFailed: nothing answered at first, or nothing for ``patience`` seconds later on.
    """
    last, answered, failures, lost_at = after, False, 0, 0.0
    while deadline is None or time.monotonic() < deadline:
        try:
            for item in _connection(transport, job_id, last, deadline):
                answered = True
                if item is _ENDED or (deadline is not None and time.monotonic() >= deadline):
                    return  # a stream that never falls silent meets no read timeout
                if item is not _OPENED:
                    failures = 0
                if isinstance(item, Update):
                    last = item.seq
                    yield item
            reason = ConnectionFailed(transport.url, "the stream was cut")
        except ConnectionFailed as error:
            reason = error
        except ApiError as error:
            if error.status < 500:
                raise
            reason = ConnectionFailed(transport.url, str(error))
        lost_at = time.monotonic() if failures == 0 else lost_at
        if time.monotonic() - lost_at > (patience if answered else min(patience, 2.0)):
            raise reason
        if on_lost is not None:
            on_lost(reason)
        pause = min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10))
        failures += 1
        time.sleep(pause if deadline is None else max(0.0, min(pause, deadline - time.monotonic())))


_OPENED, _ENDED = object(), object()


def _connection(transport: Transport, job_id: str, after: int, deadline: float | None) -> Iterator[object]:
    """One connection: ``_OPENED``, updates newer than ``after``, None for signs of life, at a job's end ``_ENDED``."""
    left = SILENCE if deadline is None else max(0.05, deadline - time.monotonic())
    silence = min(SILENCE, left)
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if after:
        headers["Last-Event-ID"] = str(after)
    with transport.open(f"/v1/jobs/{job_id}/stream", headers=headers, read_timeout=silence) as response:
        if response.status_code == 204:  # the job has ended and we have seen everything
            yield _ENDED
            return
        yield _OPENED
        for message in messages(lines(response.iter_bytes())):
            if message is None:
                yield None
            elif message.event == "end":
                yield _ENDED
                return
            elif message.event in ("event", "metrics"):
                data = json.loads(message.data)
                # Only what a service that ignored Last-Event-ID sends again is a duplicate; within one connection the
                # parts of one write may share a number.
                if data["seq"] > after:
                    yield _update(message.event, data)
            if deadline is not None and silence == SILENCE and deadline - time.monotonic() < SILENCE:
                return  # connect again with a read timeout that ends at the deadline


def _update(kind: str, data: dict[str, Any]) -> Update:
    if kind == "event":
        return Update(seq=data["seq"], event=cast(Event, data))
    return Update(seq=data["seq"], points=data["points"])

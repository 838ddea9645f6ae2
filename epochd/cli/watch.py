"""Watching one job: a progress bar on a terminal, lines elsewhere, JSON lines for programs."""

from epochd.cli.output import INTERRUPTED, TIMEOUT, out, safe, status_of
from epochd.cli.score import against, answered, score
from epochd.client import Client
from epochd.errors import ConnectionFailed
from epochd.live import Bars, Run, lost, track
from epochd.resources import ENDED, Job, Replay
from epochd.stream import Update

QUIET = frozenset({"claimed", "started", "first_step", "checkpoint", "part", "queued", "log"})
"""Events that the bar tells already, or that are too many for lines."""


def watch(client: Client, job: Job, timeout: float | None) -> int:
    """Show the job until it ends; returns the exit status that tells how."""
    try:
        ended = _follow(client, job, timeout)
    except KeyboardInterrupt:
        out.note(f"\n{job['id']} goes on without you. See it again: epochd watch {job['id']}")
        return INTERRUPTED
    if out.machine:
        out.json(ended)
    if ended["status"] not in ENDED:
        out.note(f"{job['id']} is {ended['status']} after {timeout:g} seconds and goes on.")
        return TIMEOUT
    out.note(ending(ended))
    return status_of(ended)


def _follow(client: Client, job: Job, timeout: float | None) -> Job:
    run, bars = Run.of(job), Bars(out.notes)
    name = job["model"] or "job"

    def on_lost(error: ConnectionFailed) -> None:
        if not out.machine:
            bars.say(name, lost(error))
            if not bars.console.is_terminal:
                out.note(lost(error))

    updates = client.follow(job["id"], timeout=timeout, on_lost=on_lost)
    if out.machine:
        for update in updates:
            out.json(
                update.event or {"object": "metrics", "job": job["id"], "seq": update.seq, "points": update.points}
            )
    else:
        with bars.shown():
            bars.add(name, run)
            for update in track(bars, name, run, updates):
                line = _line(update, run, terminal=bars.console.is_terminal)
                if line:
                    bars.console.print(safe(line), soft_wrap=True)
    return client.job(job["id"])


def _line(update: Update, run: Run, *, terminal: bool) -> str | None:
    """What to print for an update beside the bar: little on a terminal, the epochs too where there is no bar."""
    event = update.event
    if event is None:
        told = any(point["name"] == "validation_loss" for point in update.points)
        return run.words() if told and not terminal else None
    if event["type"] in (*ENDED, "replay"):  # the ending has its own words
        return None
    if event["level"] == "info" and event["type"] in QUIET:
        return None
    return f"{event['type']}: {event['message']}" if event["message"] else event["type"]


def ending(job: Job) -> str:
    """How a job ended, in one or a few lines."""
    result, error = job["result"], job["error"]
    if result is not None and job["kind"] == "ingest":
        made = f"{job['dataset']['name']}@{job['dataset']['version']}" if job["dataset"] is not None else "a data set"
        return f"{job['id']} succeeded: {made} is ready, after {result['seconds']:.1f} s"
    if result is not None and job["kind"] == "explain":
        return f"{job['id']} succeeded: {result['target']} of {result['model']}:{result['model_version']} is explained"
    if result is not None and job["kind"] == "predict":
        return f"{job['id']} succeeded: {answered(result)}, in {result['seconds']:.1f} s"
    if result is not None:
        reached = f"{score(result['test'])}{against(result.get('baseline'))}"
        text = (
            f"{job['id']} succeeded: test {'accuracy ' if reached.endswith('%') else ''}{reached}, "
            f"{result['steps']} steps in {result['seconds']:.1f} s (stopped by {result['stopped']})"
        )
        if job["model"] is not None and job["model_version"] is not None:
            command = "generate" if result.get("task") == "language" else "predict"
            what = "PROMPT" if command == "generate" else "FILE"
            text += f"\nAsk it: epochd {command} {job['model']}:{job['model_version']} {what}"
        if (replay := result.get("replay")) is not None:
            text += f"\n{_compared(replay)}"
        return text
    if error is not None:
        log = "".join(f"\n  {line}" for line in error["detail"].get("log") or [])
        return f"{job['id']} failed ({error['code']}): {error['message']}{log}"
    return f"{job['id']} was {job['status']}"


def _compared(replay: Replay) -> str:
    """Whether a replay made the weights of its original."""
    if replay["match"]:
        though = f", though {'; '.join(replay['differences'])}" if replay["differences"] else ""
        return f"Same weights as {replay['of']}, bit for bit{though}."
    hashes = f"{replay['weights_sha256'][:16]}..., not {replay['original_sha256'][:16]}..."
    return f"Different weights than {replay['of']} ({hashes})" + "".join(f"\n  {one}" for one in replay["differences"])

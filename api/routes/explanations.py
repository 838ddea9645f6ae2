"""``POST /v1/models/{reference}:explain``."""

import asyncio
from typing import Annotated, Any, cast

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ConfigDict
from starlette.requests import ClientDisconnect

from api import objects
from api.answers import documented, json
from api.deps import Caller, ServiceDep
from api.explanations import USUAL_WAIT, Asked, by_worker, preferences
from api.once import IdempotencyKey
from api.routes.jobs import LOCATION
from api.serving import bodies, pictures
from api.serving.document import BODY, OPERATION
from api.serving.explain import Question
from api.submissions import address
from core.errors import Conflict, Invalid
from core.explain.players import BASELINES
from core.specs import ExplainOptions

router = APIRouter(prefix="/v1/models", tags=["models"])
BINARY = {"schema": {"type": "string", "format": "binary"}}
APPLIED = {"Preference-Applied": "What of Prefer was followed."}


class ExplainQuery(ExplainOptions):
    """The options as they come in a query, where every value is text."""

    model_config = ConfigDict(strict=False)


def _body() -> dict[str, Any]:
    properties: Any = BODY["properties"]
    schema = {**BODY, "properties": {"inputs": {**properties["inputs"], "maxItems": 1}}}
    content = {**OPERATION["requestBody"]["content"], "application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


ANSWER = documented(
    objects.Explanation,
    "not_found",
    "conflict",
    "unsupported_media_type",
    "invalid_request",
    "idempotency_mismatch",
    "overloaded",
    headers=APPLIED,
    description="The parts of the sample, and what each adds; or a picture of it, by Accept.",
    also=documented(
        objects.Job,
        status=202,
        headers={**LOCATION, **APPLIED},
        description="It takes longer: the job whose result the explanation will be.",
    ),
)
ANSWER[200]["content"] = {pictures.PNG: BINARY, pictures.SVG: {"schema": {"type": "string"}}}


@router.post("/{reference}:explain", responses=ANSWER, openapi_extra=_body())
async def explain(
    request: Request,
    reference: str,
    query: Annotated[ExplainQuery, Query()],
    caller: Caller,
    service: ServiceDep,
    prefer: Annotated[
        str, Header(description="`respond-async` leaves it to a worker; `wait=N` waits for that up to N seconds.")
    ] = "",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Explain what a version says of one sample: which parts speak for its answer, and which against it.

    An Idempotency-Key keeps a repetition from making a second job; what is answered at once makes none.
    """
    kind = bodies.media_type(request.headers.get("content-type", ""))
    loaded = await service.predict.versions.get(caller.tenant, reference)
    version = loaded.version
    reads = version.preprocessing.kind
    if reads not in BASELINES:
        raise Conflict(f"a model that reads a {reads} gives no answer that could be explained part by part")
    data = await request.body()
    sample = await loaded.reading.run(bodies.read, kind, data, version.preprocessing)
    if len(sample) != 1:
        raise Invalid(f"one sample is explained at a time, and here are {len(sample):,}", "#/inputs")
    media = pictures.chosen(request.headers.get("accept", ""), reads)
    later, wait = preferences(prefer)
    applied: dict[str, str] = {}
    if query.method != "integrated_gradients" and not later:
        question = Question(query.method, query.target, query.samples, query.parts, query.seed)
        try:
            explanation = await service.explain.answer(loaded, sample, question, request.receive)
        except ClientDisconnect:
            return Response(status_code=204)  # which nobody reads
        service.counters.predictions.add(explanation["samples"])
    else:
        options = ExplainOptions.model_validate(query.model_dump())
        await asyncio.to_thread(options.check, version.preprocessing, version.classes, sample)
        seconds = wait if wait is not None else 0 if later else USUAL_WAIT
        asked = Asked(reference, idempotency_key)
        job = await by_worker(service, caller.tenant, version, sample, options, seconds, asked)
        followed = [*(["respond-async"] if later else []), *([f"wait={wait}"] if wait is not None else [])]
        applied = {"Preference-Applied": ", ".join(followed)} if followed else {}
        if job["status"] != "succeeded":
            return json(job, 202, {"Location": address(job["id"]), **applied})
        explanation = cast(objects.Explanation, job["result"])
    if media is None:
        return json(explanation, headers=applied)
    drawn = await asyncio.to_thread(pictures.draw, sample[0], explanation)
    return Response(drawn, 200, {"Cache-Control": "no-store", **applied}, media)

"""``POST /v1/models/{reference}:explain``."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import objects
from api.answers import documented, json
from api.deps import Caller, ServiceDep
from api.serving import bodies, pictures
from api.serving.document import BODY, OPERATION
from api.serving.explain import Question
from core.errors import Conflict, Invalid
from core.explain import Method, Parts
from core.explain.players import BASELINES, MOST_PLAYERS, Baseline
from core.specs import NO_NUL

router = APIRouter(prefix="/v1/models", tags=["models"])
MOST_SAMPLES = 16384
BINARY = {"schema": {"type": "string", "format": "binary"}}


class ExplainQuery(BaseModel):
    """How to explain; every field has a usual value."""

    model_config = ConfigDict(extra="forbid")

    method: Method = "kernel_shap"
    """`exact_shapley` is for at most 12 players."""
    target: str | None = Field(default=None, max_length=512, pattern=NO_NUL)
    """The class, or the name of a number, to explain; the likeliest class unless said."""
    samples: int | None = Field(default=None, ge=16, le=MOST_SAMPLES)
    """For kernel_shap and lime: how many samples the model may be asked about; 1,024 unless said."""
    grid: int | None = Field(default=None, ge=1, le=16)
    """Of images: cells a side; 8 unless said (3 for exact_shapley)."""
    segments: int | None = Field(default=None, ge=1, le=MOST_PLAYERS)
    """Of texts, series and recordings: how many parts."""
    channels: bool = False
    """Of series: explain each channel by itself."""
    baseline: Baseline | None = None
    """What takes the place of a part: zeros, mean or blur of images, mean or zeros of series, silence of recordings,
    removed or unknown of texts; the first unless said."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed draws the same samples."""

    def question(self) -> Question:
        """The same for the runtime."""
        few = self.method == "exact_shapley"
        parts = Parts(self.grid, self.segments, self.channels, self.baseline, few)
        return Question(self.method, self.target, self.samples, parts, self.seed)


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
    "overloaded",
    description="The parts of the sample, and what each adds; or a picture of it, by Accept.",
)
ANSWER[200]["content"] = {pictures.PNG: BINARY, pictures.SVG: {"schema": {"type": "string"}}}


@router.post("/{reference}:explain", responses=ANSWER, openapi_extra=_body())
async def explain(
    request: Request,
    reference: str,
    query: Annotated[ExplainQuery, Query()],
    caller: Caller,
    service: ServiceDep,
) -> Response:
    """Explain what a version says of one sample: which parts speak for its answer, and which against it."""
    kind = bodies.media_type(request.headers.get("content-type", ""))
    loaded = await service.predict.versions.get(caller.tenant, reference)
    reads = loaded.version.preprocessing.kind
    if reads not in BASELINES:
        raise Conflict(f"a model that reads a {reads} gives no answer that could be explained part by part")
    data = await request.body()
    sample = await asyncio.to_thread(bodies.read, kind, data, loaded.version.preprocessing)
    if len(sample) != 1:
        raise Invalid(f"one sample is explained at a time, and here are {len(sample):,}", "#/inputs")
    media = pictures.chosen(request.headers.get("accept", ""), reads)
    explanation = await service.explain.answer(loaded, sample, query.question())
    service.counters.predictions.inc(explanation["samples"])
    if media is None:
        return json(explanation)
    drawn = await asyncio.to_thread(pictures.draw, sample[0], explanation)
    return Response(drawn, 200, {"Cache-Control": "no-store"}, media)

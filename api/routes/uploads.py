"""Making datasets: files go in, and a job of the kind ingest checks them and makes the next version."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, ValidationError

from api import multipart, objects
from api.answers import documented, problems, without_null
from api.deps import Caller, ServiceDep
from api.once import IdempotencyKey, once
from api.routes.jobs import LOCATION, answered
from api.service import Service
from api.submissions import address
from api.uploads import receive_body, receive_form
from core import jobs as machine
from core.errors import Invalid
from core.jobs import Input
from core.specs import NAME_PATTERN, NO_NUL, IngestJob, IngestOptions

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
ROUTE = "upload"
BINARY = {"type": "string", "format": "binary"}


class UploadOptions(IngestOptions):
    """The options of an ingest as they come in a query or a form, where every value is text."""

    model_config = ConfigDict(strict=False)

    source: str = Field(default="", max_length=512, pattern=NO_NUL)
    """Where the samples come from, in your words."""

    def job(self, dataset: str) -> IngestJob:
        """The job that makes the next version of a dataset."""
        options = IngestOptions.model_validate(self.model_dump(include=set(IngestOptions.model_fields)))
        return IngestJob(dataset=dataset, options=options, source=self.source)


class UploadQuery(UploadOptions):
    """The query of an upload of one file."""

    filename: str = Field(default="", max_length=512, pattern=NO_NUL)
    """What the file is called where it comes from; its ending may help to read it."""


class UploadForm(UploadOptions):
    """The plain fields of the form."""

    name: str = Field(pattern=NAME_PATTERN)


ANSWER = documented(
    objects.Job,
    "idempotency_mismatch",
    "not_found",
    "payload_too_large",
    status=202,
    headers=LOCATION,
    description="The files are stored; the job says what becomes of them.",
)
BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}


@router.put("/{dataset}", status_code=202, responses=ANSWER, openapi_extra=BODY)
async def upload_file(
    request: Request,
    dataset: Annotated[str, Path(pattern=NAME_PATTERN)],
    query: Annotated[UploadQuery, Query()],
    caller: Caller,
    service: ServiceDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Upload one file, or an archive of many, as the next version of a dataset."""
    job = query.job(dataset)
    file = await receive_body(request, service.database, query.filename or dataset)
    return await asyncio.to_thread(_accept, service, caller.tenant, job, [file], idempotency_key)


def _form() -> dict[str, Any]:
    schema = UploadForm.model_json_schema()
    files = {"type": "array", "items": BINARY, "minItems": 1, "description": "The files; the part may be repeated."}
    properties = {name: without_null(value) for name, value in schema["properties"].items()}
    whole = {**schema, "properties": {**properties, "file": files}, "required": ["name", "file"]}
    return {"requestBody": {"required": True, "content": {multipart.MEDIA_TYPE: {"schema": whole}}}}


@router.post("", status_code=202, responses={**ANSWER, **problems("unsupported_media_type")}, openapi_extra=_form())
async def upload_form(
    request: Request, caller: Caller, service: ServiceDep, idempotency_key: IdempotencyKey = None
) -> Response:
    """Upload one or several files as a form, as the next version of a dataset."""
    form = await receive_form(request, service.database)
    try:
        fields = UploadForm.model_validate(form.fields)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found, body=form.fields) from error
    if not form.files:
        raise Invalid("there is no file in the form; send them as parts named file", "#/file")
    return await asyncio.to_thread(
        _accept, service, caller.tenant, fields.job(fields.name), form.files, idempotency_key
    )


def _accept(service: Service, tenant: str, request: IngestJob, files: list[Input], key: str | None) -> Response:
    """Put the ingest into the line, once for each Idempotency-Key."""
    with service.database.transaction() as session:
        asked = {"request": request.model_dump(mode="json"), "files": [[one.name, one.sha256] for one in files]}

        def make() -> str:
            return address(machine.submit_ingest(session, tenant, request, files).id)

        location, made = once(session, tenant, ROUTE, key, asked, make, 202)
    return answered(service, tenant, location, made)

"""Making a model version of a checkpoint."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api import objects
from api.answers import documented
from api.deps import Caller, ServiceDep
from api.once import IdempotencyKey, once
from api.routes.jobs import LOCATION, answered
from api.submissions import address
from core import jobs
from core.errors import Invalid
from core.specs import NAME_PATTERN, Spec
from core.tables import Checkpoint, Job

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["models"])
ROUTE = "POST /v1/models/{name}/versions"


class NewVersion(Spec):
    """What the version is made of."""

    checkpoint: Annotated[str, Field(pattern=r"^ckpt_[0-9a-f]{1,40}$")]


@router.post(
    "",
    status_code=202,
    responses=documented(objects.Job, "not_found", "idempotency_mismatch", status=202, headers=LOCATION),
)
def make_version(
    name: Annotated[str, Path(pattern=NAME_PATTERN)],
    body: NewVersion,
    caller: Caller,
    service: ServiceDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make the next version of a model from any checkpoint; a new name makes a new model.

    A worker measures the checkpoint on the test split and exports it first: the answer is its job, of kind `evaluate`.
    """
    with service.database.transaction() as session:
        row = session.get(Checkpoint, body.checkpoint)
        training = None if row is None else session.get(Job, row.job_id)
        if row is None or training is None or training.tenant != caller.tenant:
            raise Invalid(
                f"there is no checkpoint {body.checkpoint!r}; a better or later one may have replaced it",
                "#/checkpoint",
            )

        def make() -> str:
            return address(jobs.submit_evaluate(session, training, row, name).id)

        asked = [name, body.checkpoint]
        location, made = once(session, caller.tenant, ROUTE, idempotency_key, asked, make, 202)
    return answered(service, caller.tenant, location, made)

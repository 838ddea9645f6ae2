"""The OpenAPI document is true: schemathesis asks every operation, rightly and wrongly, and checks all it can."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from player import Player
from sqlalchemy import select
from stack import Redis

from core import jobs
from core.catalog import keys
from core.db import Database
from core.specs import TrainJob
from core.tables import ENDED, Job

EXAMPLES = 50
CONFIG = """
[dictionaries]
datasets.values = ["digits", "digits@1"]
models.values = ["digits"]
references.values = ["digits", "digits:1"]
aliases.values = ["production", "canary"]
versions.values = ["1", "2"]
jobs.values = ["{job}"]

[parameters]
"body.dataset" = {{ dictionary = "datasets", probability = 0.8 }}
"path.dataset" = {{ dictionary = "datasets", probability = 0.5 }}
"path.name" = {{ dictionary = "models", probability = 0.5 }}
"path.reference" = {{ dictionary = "references", probability = 0.8 }}
"path.alias" = {{ dictionary = "aliases", probability = 0.5 }}
"path.version" = {{ dictionary = "versions", probability = 0.5 }}
"path.job_id" = {{ dictionary = "jobs", probability = 0.3 }}

# What no schema can say: whether the network fits the data, whether the samples fit the model.
[[operations]]
include-name = "POST /v1/jobs"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# It must be a job of the kind predict that has succeeded.
[[operations]]
include-name = ["GET /v1/jobs/{{job_id}}/predictions", "HEAD /v1/jobs/{{job_id}}/predictions"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409"]

[[operations]]
include-name = "POST /v1/estimates"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

[[operations]]
include-name = ["POST /v1/models/{{reference}}:predict", "POST /v1/models/{{reference}}:explain"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "415", "422"]

[[operations]]
include-name = ["POST /v2/models/{{name}}/infer", "POST /v2/models/{{name}}/versions/{{version}}/infer"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

# A checkpoint must be there; a key may have been used for another one.
[[operations]]
include-name = "POST /v1/models/{{name}}/versions"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

# Height and width go together, and a pattern names its label; the job of an Idempotency-Key may be deleted.
[[operations]]
include-name = ["POST /v1/datasets", "PUT /v1/datasets/{{dataset}}"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

# A job must have succeeded, and an alias must have been elsewhere; a key may have been used for another one.
[[operations]]
include-name = ["POST /v1/jobs/{{job_id}}/replay", "POST /v1/models/{{name}}/aliases/{{alias}}/rollback"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

[[operations]]
include-name = "POST /v1/keys"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# Only a version that is named, and that nothing was made from, is deleted.
[[operations]]
include-name = "DELETE /v1/datasets/{{dataset}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# An alias that exists is moved only with its ETag, to a version that exists.
[[operations]]
include-name = "PUT /v1/models/{{name}}/aliases/{{alias}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "412", "422", "428"]

[[operations]]
include-name = "DELETE /v1/models/{{name}}/aliases/{{alias}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "412", "428"]
"""


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory, short_folder: Path, engine: str) -> Iterator[Redis]:
    one = Redis(short_folder / f"openapi-{engine}", tcp=False)
    yield one
    one.stop()


def end_jobs(database: Database, stop: threading.Event) -> None:
    """Cancels what was submitted half a second later, as somebody must end it: a stream lasts as long as its job."""
    while not stop.wait(0.5):
        with database.reading() as session:
            waiting = list(session.scalars(select(Job.id).where(Job.state.not_in(ENDED))))
        for job_id in waiting:
            with database.transaction() as session:
                jobs.cancel(session, "default", job_id)


@pytest.mark.timeout(1800)
def test_every_operation_is_as_documented(
    engine: str, database_url: str, redis: Redis, start_api: Callable[..., Any], migrated: Any, tmp_path: Path
) -> None:
    """On SQLite without keys, on PostgreSQL with an administrator's key."""
    keyed = engine == "postgresql"
    database = migrated(database_url)
    with database.transaction() as session:
        _, secret = keys.create(session, "default", "tester", admin=True)
    url, _ = start_api(database_url, broker_url=redis.url, require_keys="always" if keyed else "auto")
    player = Player(database)
    job = player.train("digits").job_id
    player.train("digits", ready=False)
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(job=job))

    stop = threading.Event()
    ender = threading.Thread(target=end_jobs, args=(database, stop))
    ender.start()
    command = [str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json", "--checks", "all"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)]
    command += ["--continue-on-failure"]
    command += ["--request-timeout", "60", "--report", "ndjson", "--report-dir", str(tmp_path / "report")]
    if keyed:
        command += ["--header", f"Authorization: Bearer {secret}"]
    if os.environ.get("EPOCHD_REQUIRE_SERVICES"):
        command.append("--generation-deterministic")  # so that a red run of CI can be repeated
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    stop.set()
    ender.join()
    assert ran.returncode == 0, ran.stdout[-12000:]

    (report,) = (tmp_path / "report").glob("*.ndjson")
    asked = cases(report)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = {f"{method.upper()} {path}" for path, item in schema.raw_schema["paths"].items() for method in item}
    assert asked.pop("Stateful tests") > 0
    assert set(asked) == operations
    # Some have little to vary, and what is deleted is used up: these are asked again until it is enough.
    spare = disposable(database)
    headers = {"Authorization": f"Bearer {secret}"} if keyed else {}
    for name in [name for name, count in asked.items() if count < EXAMPLES]:
        method, path = name.split()
        operation = schema[path][method]
        assert not operation.body, f"{name} was asked {asked[name]} times only"
        for number in range(EXAMPLES):
            given = {parameter: values[number] for parameter, values in spare.items() if f"{{{parameter}}}" in path}
            operation.Case(path_parameters=given).call_and_validate(headers=headers)
    database.close()


def disposable(database: Database) -> dict[str, list[str]]:
    """Ended jobs, keys and aliases to delete, by the path parameter that names them."""
    spec = TrainJob.model_validate({"dataset": "digits", "network": {"family": "rnn"}})
    with database.transaction() as session:
        ended = [jobs.submit(session, "default", spec).id for _ in range(EXAMPLES)]
        for job_id in ended:
            jobs.cancel(session, "default", job_id)
        old = [keys.create(session, "default", "old", admin=False)[0].id for _ in range(EXAMPLES)]
    aliases = [f"alias-{number}" for number in range(EXAMPLES)]
    return {"job_id": ended, "key_id": old, "name": ["digits"] * EXAMPLES, "alias": aliases}


def cases(report: Path) -> Counter[str]:
    """Requests made to each operation."""
    found: Counter[str] = Counter()
    for line in report.read_text().splitlines():
        finished = json.loads(line).get("ScenarioFinished")
        if finished is not None:
            found[finished["recorder"]["label"]] += len(finished["recorder"].get("cases", ()))
    return found

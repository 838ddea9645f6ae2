"""Which devices a job is given: as many as it asked for, of one class, and nobody else's."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core import jobs
from core.db import Database
from core.settings import Settings
from core.specs import TrainJob
from core.tables import Worker
from workers.runtime import Runtime

GPU = {"kind": "cuda", "name": "a GPU", "memory_bytes": 2**33}


def submit(database: Database, **fields: Any) -> str:
    body = {"dataset": "digits", "network": {"family": "rnn", "hidden": 4}, **fields}
    with database.transaction() as session:
        return jobs.submit(session, "t", TrainJob.model_validate(body)).id


@pytest.fixture
def runtime(database: Database, worker: Worker, tmp_path: Path) -> Any:
    """A worker of two slots with three GPUs and two threads a slot, which runs nothing."""
    with database.transaction() as session:
        cpu = worker.devices[0]
        session.execute(update(Worker).values(devices=[cpu, GPU, GPU, GPU], threads=2, slots=2, memory_bytes=2**34))
    settings = Settings(data_dir=tmp_path, database_url=database.engine.url.render_as_string(hide_password=False))
    one = Runtime(settings.model_copy(update={"worker_slots": 2}))
    with database.reading() as session:
        one.worker = session.get_one(Worker, worker.id)
    one._free_gpus = ["0", "1", "2"]
    yield one
    one.database.close()


def test_a_job_has_the_gpus_that_it_asked_for(database: Database, runtime: Runtime) -> None:
    first, second, third = (submit(database, devices=2) for _ in range(3))
    with runtime.claim("long") as found:
        assert found is not None
        assert (found[0].lease.job_id, found[1]) == (first, "cuda:0,1")
        with runtime.claim("long") as beside:  # one GPU is left, and two threads
            assert beside is not None
            assert (beside[0].lease.job_id, beside[1]) == (second, "cpu")
            assert runtime._free_gpus == ["2"]
            with runtime.claim("long") as none_left:
                assert none_left is None, "both slots are taken"
    assert runtime._free_gpus == ["0", "1", "2"]
    with runtime.claim("long") as after:
        assert after is not None and after[0].lease.job_id == third


def test_what_does_not_fit_waits_and_what_does_goes_past_it(database: Database, runtime: Runtime) -> None:
    waiting = submit(database, devices=3, device="cuda", priority=1)
    one, on_cpu = submit(database, device="cuda"), submit(database, devices=2, device="cpu")
    runtime._free_gpus = ["1", "2"]
    with runtime.claim("long") as found, runtime.claim("long") as next_found:
        assert found is not None and next_found is not None
        assert [(found[0].lease.job_id, found[1]), (next_found[0].lease.job_id, next_found[1])] == [
            (one, "cuda:1"),
            (on_cpu, "cpu"),
        ]
    runtime._free_gpus = ["0", "1", "2"]
    with runtime.claim("long") as found:
        assert found is not None and (found[0].lease.job_id, found[1]) == (waiting, "cuda:0,1,2")


def test_nobody_keeps_a_gpu_when_the_database_is_away(
    database: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("away")

    monkeypatch.setattr(jobs, "claim", away)
    with pytest.raises(OSError, match="away"), runtime.claim("long"):
        pass
    assert runtime._free_gpus == ["0", "1", "2"]

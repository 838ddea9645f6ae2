"""Plays the worker: ends jobs by the same functions of core that a worker calls, without training anything."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from core import blobs, fleet, ids, jobs
from core.catalog import datasets
from core.catalog.models import NewVersion
from core.db import Database
from core.encode import Preprocessing
from core.jobs.submit import make_plan
from core.specs import TrainJob, TrainSpec
from core.tables import Dataset, Job, Worker
from models.data.splits import Dataset as Data
from models.data.splits import load
from models.events import Finished
from models.export import export, metadata
from models.networks import Network, build
from models.training import fit

METRICS = ("train_loss", "train_accuracy", "learning_rate")


@dataclass(frozen=True)
class Played:
    """A job that was ended, and what its model computes with."""

    job_id: str
    version: int | None
    network: Network
    preprocessing: Preprocessing


class Player:
    """One worker that is online."""

    def __init__(self, database: Database) -> None:
        self.database = database
        device = {"kind": "cpu", "name": "a CPU", "memory_bytes": 2**33}
        worker = Worker(
            id=ids.new("wrk"),
            name="player",
            host="here",
            pid=1,
            slots=4,
            threads=1,
            memory_bytes=2**35,
            devices=[device],
            versions={"torch": torch.__version__},
        )
        with database.transaction() as session:
            self.worker = fleet.register(session, worker)

    def beat(self) -> None:
        """Stay online: who says nothing for 15 s is not, and tests may take that long."""
        with self.database.transaction() as session:
            fleet.seen(session, self.worker.id, "online")

    def claim(self) -> jobs.Claim:
        """The job at the head of the line."""
        with self.database.transaction() as session:
            claim = jobs.claim(session, self.worker, 3600, {"cpu"})
        assert claim is not None, "no job waits"
        return claim

    def measure(self, claim: jobs.Claim, steps: range) -> None:
        """Record a point of every training metric for each step."""
        with self.database.transaction() as session:
            for step in steps:
                points = [(name, step, 1.0 / step) for name in METRICS]
                progress = {"step": step, "total_steps": 1000, "epoch": 1, "epochs": 2}
                jobs.record(session, claim.lease, [jobs.Points(points)], progress=progress)

    def finish(self, claim: jobs.Claim, *, ready: bool = True, trained: Finished | None = None) -> Played:
        """Store a checkpoint of fresh (or ``trained``) weights and succeed with them as the model's next version."""
        with self.database.reading() as session:
            job = session.get_one(Job, claim.lease.job_id)
            dataset = session.get_one(Dataset, job.dataset_id)
        request = TrainJob.model_validate(job.spec)
        plan = trained.plan if trained else make_plan(request, dataset)
        torch.manual_seed(request.seed)
        network = build(plan).eval()
        if trained:
            network.load_state_dict(trained.best.weights)
        contiguous = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        weights, _ = blobs.write(self.database, [save_tensors(contiguous, metadata={"format": "pt"})])
        preprocessing = trained.preprocessing if trained else self._preprocessing(request, dataset)
        about = metadata(preprocessing, dataset.classes)
        onnx, _ = blobs.write(self.database, [export(plan, network.state_dict(), about)])
        entry = jobs.CheckpointEntry(
            step=10, epoch=1, best=True, last=True, metrics={}, weights_sha256=weights, state_sha256=weights
        )
        version = NewVersion(
            job_id=job.id,
            dataset_id=dataset.id,
            checkpoint_step=10,
            weights_sha256=weights,
            onnx_sha256=onnx if ready else None,
            reason=None if ready else "the parity check failed",
            parameters=plan.parameters,
            preprocessing=preprocessing.as_dict(),
            metrics={"test": {"accuracy": 0.1, "loss": 2.3}},
            spec=request.training.model_dump(mode="json"),
        )
        result: dict[str, Any] = {"test": {"accuracy": 0.1, "loss": 2.3}, "weights_sha256": weights}
        with self.database.transaction() as session:
            jobs.checkpoint(session, claim.lease, entry)
        with self.database.transaction() as session:
            number = jobs.succeed(session, claim.lease, result, version if claim.model else None)
        return Played(job.id, number, network, preprocessing)

    def train(
        self, model: str | None = None, *, ready: bool = True, trained: Finished | None = None, **fields: Any
    ) -> Played:
        """Submit the smallest job and end it well; ``trained`` elsewhere, on any data of ten classes."""
        body = {
            "dataset": "digits",
            "network": {"family": "rnn", "hidden": 8},
            "model": model,
            "priority": 100,
            **fields,
        }
        with self.database.transaction() as session:
            jobs.submit(session, "default", TrainJob.model_validate(body))
        claim = self.claim()
        self.measure(claim, range(1, 4))
        return self.finish(claim, ready=ready, trained=trained)

    def _preprocessing(self, request: TrainJob, dataset: Dataset) -> Preprocessing:
        size = (request.data.resize[0], request.data.resize[1]) if request.data.resize else None
        return Preprocessing.fit(self.digits(dataset.name).train.inputs, size, request.data.normalisation(dataset.task))

    def digits(self, name: str = "digits") -> Any:
        """A built-in dataset as the trainer loads it."""
        with self.database.reading() as session:
            sha256 = datasets.find(session, "default", name).sha256
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "digits.safetensors"
            blobs.fetch(self.database, sha256, path)
            return load(path)


def finished(dataset: Data, **body: Any) -> Finished:
    """A few steps of training."""
    spec = {"network": {"family": "rnn", "cell": "gru", "hidden": 8, "bidirectional": True}, **body}
    *_, end = fit(TrainSpec.model_validate({"hyperparameters": {"steps": 3}, **spec}), dataset, threads=1)
    assert isinstance(end, Finished)
    return end

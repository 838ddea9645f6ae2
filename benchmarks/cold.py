"""How long the first answer of a model version takes: `python -m benchmarks.cold`, of 1,000 of the digits' CNN.

Versions share one graph in the database; each is resolved, read, loaded and asked as if it were the only one.
"""

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import torch
from sqlalchemy import insert

from api.serving.threads import Threads
from api.serving.versions import Versions
from api.watch import CatalogWatch
from core import blobs, ids
from core.catalog import datasets
from core.db import Database, now
from core.encode import Preprocessing
from core.jobs.submit import make_plan
from core.specs import TrainJob
from core.tables import Model, ModelVersion
from migrations.upgrade import upgrade
from models.export import export
from models.networks import build

NETWORK = {
    "family": "cnn",
    "stages": [{"channels": 32, "padding": "same"}, {"channels": 64, "padding": "same"}],
    "hidden": [64],
}
SAMPLE = np.zeros((1, 8, 8, 1), np.uint8)


def register(database: Database, count: int) -> None:
    """A model ``cold`` with so many versions of fresh weights."""
    datasets.add_built_in(database)
    job = TrainJob.model_validate({"dataset": "digits", "network": NETWORK, "model": "cold"})
    with database.reading() as session:
        dataset = datasets.find(session, "default", "digits")
    plan = make_plan(job, dataset)
    torch.manual_seed(0)
    graph, _ = blobs.write(database, [export(plan, build(plan).eval().state_dict())])
    preprocessing = Preprocessing("image", (8, 8, 1), None, "unit", (0.0,), (255.0,))
    with database.transaction() as session:
        at = now(session)
        model = Model(id=ids.new("model"), tenant="default", name="cold", created_at=at)
        session.add(model)
        session.flush()
        row = {
            "model_id": model.id,
            "dataset_id": dataset.id,
            "checkpoint_step": 1,
            "created_at": at,
            "ready": True,
            "weights_sha256": graph,
            "onnx_sha256": graph,
            "parameters": plan.parameters,
            "preprocessing": preprocessing.as_dict(),
            "metrics": {},
            "spec": job.training.model_dump(mode="json"),
        }
        session.execute(insert(ModelVersion), [{**row, "version": number} for number in range(1, count + 1)])


async def measure(database: Database, count: int) -> dict[str, list[float]]:
    """Seconds of each step, version by version, round after round."""
    watch = CatalogWatch(database)
    watch.look()
    found: dict[str, list[float]] = defaultdict(list)
    with closing(Threads()) as threads:
        versions = Versions(database, watch, threads, lambda samples: None)
        for name in ("first answer", "second round"):
            for number in range(1, count + 1):
                began = time.perf_counter()
                loaded = await versions.get("default", f"cold:{number}")
                await loaded.batcher.run(SAMPLE)
                found[name].append(time.perf_counter() - began)
        for number in range(1, min(count, 200) + 1):
            began = time.perf_counter()
            version = versions.look_up("default", f"cold:{number}")
            resolved = time.perf_counter()
            b"".join(blobs.read(database, version.onnx_sha256))
            read = time.perf_counter()
            found["of it: look up"].append(resolved - began)
            found["of it: read the graph"].append(read - resolved)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--database", help="URL of an empty database; a SQLite file otherwise")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(given.database or f"sqlite:///{Path(folder) / 'cold.db'}")
        upgrade(database)
        register(database, given.versions)
        before = psutil.Process().memory_info().rss
        found = asyncio.run(measure(database, given.versions))
        grown = psutil.Process().memory_info().rss - before
        database.close()
    for name, seconds in found.items():
        p50, p99 = np.quantile(seconds, (0.5, 0.99)) * 1e3
        print(f"{name:22} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
    print(f"memory of a loaded version {grown / given.versions / 2**10:.0f} KiB")


if __name__ == "__main__":
    main()

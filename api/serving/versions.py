"""From what a client calls a model to a loaded version; what was found and loaded is kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from api.errors import AWAY
from api.serving.batching import Batcher, Computed
from api.serving.reading import Reading
from api.serving.threads import Threads
from api.watch import CatalogWatch
from core import blobs
from core.catalog import models
from core.db import Database
from core.encode import Preprocessing
from core.errors import Conflict
from core.explain.answer import softmax
from core.predictions.answer import not_finite
from core.tables import Dataset

CACHE_BYTES = 512 * 2**20
SESSION_BYTES = 170 * 2**10
"""A session of the smallest graph; larger ones take 2.2 times their graph more (`python -m benchmarks.cold`)."""
MOST_REFERENCES = 4096


@dataclass(frozen=True)
class Version:
    """An immutable model version that can answer predictions."""

    model: str
    model_id: str
    number: int
    onnx_sha256: str
    preprocessing: Preprocessing
    classes: list[str]

    @property
    def outputs(self) -> int:
        """How many numbers an answer has for each sample."""
        targets = self.preprocessing.targets
        return len(self.classes) if targets is None else len(targets.names) * (targets.horizon or 1)


class Loaded:
    """A version with its ONNX session, and the requests that wait for it."""

    def __init__(
        self, version: Version, graph: bytes, threads: Threads, reading: Reading, observe: Callable[[int], None]
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # requests are what runs in parallel
        options.log_severity_level = 3
        self.session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.version = version
        self.size = SESSION_BYTES + round(2.2 * len(graph))
        self.batcher = Batcher(self.answer, partial(threads.run, version.model_id), observe)
        self.reading = reading

    def compute(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Raw samples as ``Preprocessing.from_rows`` gives them -> logits float32 [N, classes]. For any thread."""
        logits: NDArray[np.float32] = self.session.run(["logits"], self.version.preprocessing.feed(samples))[0]
        return logits

    def answer(self, samples: NDArray[Any]) -> Computed:
        """The same, and where classes are told apart their probabilities float64 [N, classes]."""
        logits = self.compute(samples)
        if self.version.preprocessing.targets is not None:
            return (logits,)
        if not_finite(logits) is None:
            return logits, softmax(logits)
        with np.errstate(invalid="ignore"):  # infinite logits have none; whoever answers refuses them
            return logits, softmax(logits)


class Versions:
    """Resolves references and keeps what was loaded, least recently used out first. For the event loop's thread."""

    def __init__(
        self, database: Database, watch: CatalogWatch, threads: Threads, observe: Callable[[int], None]
    ) -> None:
        self._database, self._watch, self._threads, self._observe = database, watch, threads, observe
        self._readings: WeakValueDictionary[str, Reading] = WeakValueDictionary()  # by model; its versions share one
        self._resolved: dict[tuple[str, str], tuple[int, Version]] = {}
        self._loaded: OrderedDict[tuple[str, int], Loaded] = OrderedDict()
        self._loading: dict[tuple[str, int], asyncio.Task[Loaded]] = {}
        self._bytes = 0

    async def get(self, tenant: str, reference: str) -> Loaded:
        """The version that ``name``, ``name@alias`` or ``name:version`` means to a tenant now.

        Raises:
            NotFound: no such model, alias or version.
            Conflict: the version cannot answer predictions.
            Unavailable: the database has been away for too long.
        """
        revision = self._watch.revision
        known = self._resolved.get((tenant, reference))
        if known is None or known[0] != revision:
            known = await self._resolve(tenant, reference, revision, known)
        version = known[1]
        place = (version.model_id, version.number)
        loaded = self._loaded.get(place)
        if loaded is not None:
            self._loaded.move_to_end(place)
            return loaded
        task = self._loading.get(place)
        if task is None:
            task = self._loading[place] = asyncio.create_task(self._load(version))
        return await asyncio.shield(task)  # others may wait for it too

    def kept(self, tenant: str, reference: str, revision: int) -> Loaded | None:
        """The same if it was asked for before at this revision of the catalog and is loaded."""
        known = self._resolved.get((tenant, reference))
        if known is None or known[0] != revision:
            return None
        place = (known[1].model_id, known[1].number)
        loaded = self._loaded.get(place)
        if loaded is not None:
            self._loaded.move_to_end(place)
        return loaded

    async def _resolve(
        self, tenant: str, reference: str, revision: int, known: tuple[int, Version] | None
    ) -> tuple[int, Version]:
        try:
            found = revision, await asyncio.to_thread(self.look_up, tenant, reference)
        except AWAY:
            if known is None:
                raise
            return known  # what was true before the database went away
        if len(self._resolved) >= MOST_REFERENCES:
            self._resolved.clear()
        self._resolved[tenant, reference] = found
        return found

    def look_up(self, tenant: str, reference: str) -> Version:
        """The same without its graph, from the database; for any thread.

        Raises:
            NotFound: no such model, alias or version.
            Conflict: the version cannot answer predictions.
        """
        with self._database.reading() as session:
            name, row = models.refer(session, tenant, reference)
            dataset = session.get_one(Dataset, row.dataset_id)
        if row.onnx_sha256 is None:
            raise Conflict(f"model {name} version {row.version} cannot answer predictions: {row.reason}")
        preprocessing = Preprocessing.from_dict(row.preprocessing)
        return Version(name, row.model_id, row.version, row.onnx_sha256, preprocessing, dataset.classes)

    async def _load(self, version: Version) -> Loaded:
        place = (version.model_id, version.number)
        try:
            reading = self._readings.get(version.model_id)
            if reading is None:
                reading = self._readings[version.model_id] = Reading()
            loaded = await asyncio.to_thread(self._read, version, reading)
        finally:
            del self._loading[place]
        self._loaded[place] = loaded
        self._bytes += loaded.size
        while self._bytes > CACHE_BYTES and len(self._loaded) > 1:
            self._bytes -= self._loaded.popitem(last=False)[1].size
        return loaded

    def _read(self, version: Version, reading: Reading) -> Loaded:
        graph = b"".join(blobs.read(self._database, version.onnx_sha256))
        return Loaded(version, graph, self._threads, reading, self._observe)

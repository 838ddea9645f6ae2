"""What a version says of whole splits of a data set, batch by batch, by the graph that ``:predict`` runs too.

So the answers are those of ``:predict``, to the last bit where it is asked about the same batches. Each batch is
computed by one thread; several are under way at once, and they are given in their order.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from core.encode import Preprocessing, ragged
from core.explain.answer import softmax
from core.predictions import AT_ONCE
from core.predictions.answer import TOO_LARGE, not_finite
from core.predictions.fit import Rows, rows
from core.predictions.layout import SPLITS, Answers
from models.data.splits import Dataset, Split, places


@dataclass(frozen=True)
class _Batch:
    """Rows ``first`` to ``end - 1`` of a split."""

    rows: Rows
    first: int
    end: int


class Answering:
    """Answers the rows of these splits of a data set, which was loaded with a scratch folder: its samples are mapped.

    ``count`` are all rows, of which memory holds a few batches only; of a forecast it holds the table.
    """

    def __init__(self, graph: Path, preprocessing: Preprocessing, dataset: Dataset, wanted: Sequence[str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # batches are what runs in parallel
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._preprocessing = preprocessing
        self._splits = _splits(dataset)
        self._table: NDArray[np.float32] | None = None
        if preprocessing.targets is not None and preprocessing.targets.horizon is not None:
            parts = [np.asarray(split.inputs) for split in self._splits.values()]
            self._table, self._places = np.concatenate(parts), places(dataset.manifest)
        self._rows = rows(preprocessing, {name: len(one) for name, one in self._splits.items()}, wanted)
        self.count = sum(one.count for one in self._rows)

    def run(self, done: int, threads: int) -> Iterator[Answers]:
        """The answers behind the ``done`` first rows, which are those of whole batches.

        Raises:
            ValueError: an answer is no finite number; names the row.
        """
        waiting: deque[Future[Answers]] = deque()
        batches = self._batches(done)
        with ThreadPoolExecutor(threads, thread_name_prefix="predict") as pool:
            try:
                for batch in batches:
                    waiting.append(pool.submit(self._answer, batch))
                    if len(waiting) > 2 * threads:
                        yield waiting.popleft().result()
                yield from (one.result() for one in waiting)
            finally:  # whoever listened may have gone
                pool.shutdown(wait=True, cancel_futures=True)

    def _batches(self, done: int) -> Iterator[_Batch]:
        each = ((one, range(0, one.count, AT_ONCE)) for one in self._rows)
        all_of_them = chain.from_iterable(
            (_Batch(one, first, min(one.count, first + AT_ONCE)) for first in starts) for one, starts in each
        )
        passed = 0
        for batch in all_of_them:
            if passed >= done:
                yield batch
            passed += batch.end - batch.first
            assert passed <= done or passed - done >= batch.end - batch.first, "batches are stored whole"

    def _answer(self, batch: _Batch) -> Answers:
        samples, labels = self._read(batch)
        outputs: NDArray[np.float32] = self._session.run(["logits"], self._preprocessing.feed(samples))[0]
        wrong = not_finite(outputs)
        if wrong is not None:
            raise ValueError(f"row {batch.first + wrong} of {batch.rows.split}: {TOO_LARGE}")
        targets = self._preprocessing.targets
        values = softmax(outputs) if targets is None else targets.restore(outputs, samples)
        return Answers(batch.rows.split, batch.first, values, labels)

    def _read(self, batch: _Batch) -> tuple[NDArray[Any], NDArray[Any]]:
        """Raw samples as ``Preprocessing.from_rows`` gives them, and their labels."""
        if self._table is not None:
            return self._windows(self._table, batch)
        split, part = self._splits[batch.rows.split], slice(batch.first, batch.end)
        samples = split.inputs[part]
        if self._preprocessing.frames is not None:
            samples = self._preprocessing.cut(samples)
        elif self._preprocessing.variable and self._preprocessing.tokens is None:
            lengths = [samples.shape[1]] * len(samples) if split.lengths is None else split.lengths[part].tolist()
            samples = ragged.collect([row[:length] for row, length in zip(samples, lengths, strict=True)])
        return samples, split.targets[part]

    def _windows(self, table: NDArray[np.float32], batch: _Batch) -> tuple[NDArray[Any], NDArray[Any]]:
        targets, window = self._preprocessing.targets, self._preprocessing.shape[0]
        assert targets is not None and targets.horizon is not None
        starts = batch.rows.start + np.arange(batch.first, batch.end)[:, None]
        foretold = table[starts + window + np.arange(targets.horizon)][:, :, self._places]
        return table[starts + np.arange(window)], foretold.astype(np.float64)


def _splits(dataset: Dataset) -> dict[str, Split]:
    found = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {name: split for name in SPLITS if (split := found[name]) is not None}

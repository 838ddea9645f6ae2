"""Uploaded files -> a data set file and its findings."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from core.ingest import corpus
from core.ingest.arrange import arrange
from core.ingest.findings import Findings, Refused
from core.ingest.kinds import choose, read
from core.ingest.names import SPLITS
from core.ingest.pack import pack
from core.ingest.unpack import Upload, unpack
from core.ingest.work import Progress, Work
from core.specs import IngestOptions


@dataclass(frozen=True)
class Ingested:
    """A data set file was written.

    ``manifest``: kind, shape, dtype, classes, source, ``lengths`` [min, max] where they vary, ``rate`` of recordings;
    the file has it too.
    ``splits``: samples of train, test, and of validation if the files bring one; characters of a corpus.
    ``findings``, JSON-able: samples {split: {class: count}} (of a corpus text {split: {characters,
    distinct_characters, lines}}), shape, lengths {min, median, max} where they vary, skipped
    [{file, row?, reason}], ignored_files, single_sample_classes (at most 100 of each of these, and their _total),
    empty_classes, duplicates_within_train, duplicates_across_splits {count, examples}, converted {what: count}, notes.
    """

    manifest: dict[str, Any]
    splits: dict[str, int]
    findings: dict[str, Any]


def ingest(
    uploads: Sequence[Upload],
    options: IngestOptions,
    output: Path,
    *,
    scratch: Path,
    limit_bytes: int,
    source: str,
    report: Callable[[str, int, int | None], None],
) -> Ingested:
    """Read the uploads and write the data set file ``output``: the same bytes for the same files and options.

    The file is safetensors: ``{split}.inputs`` (images uint8 [N, H, W, C], series float32 [N, T, F]) and
    ``{split}.targets`` int64 [N]; where lengths vary, zeros follow the end of a series and ``{split}.lengths`` int64
    [N] says where it is; a text set has ``{split}.text`` (UTF-8, one sample after the other) and ``{split}.offsets``
    int64 [N + 1] instead of inputs, a set of recordings ``{split}.audio`` int16 and offsets in the same way. A corpus
    has text and offsets of pieces of 500 characters, and no targets.

    ``limit_bytes`` bounds what archives unpack to, and the samples; ``scratch`` needs room for both and is left as
    it was. ``report(stage, done, total or None)`` is called a few times a second: ``unpacking`` bytes of the uploads,
    then samples, in ``looking at headers`` (pictures and recordings only), ``reading``, ``checking`` and ``writing``.

    Raises:
        Refused: the files make no data set; ``output`` is not written.
    """
    findings = Findings()
    try:
        with TemporaryDirectory(prefix="ingest-", dir=scratch) as folder, ExitStack() as opened:
            work = Work(options, findings, Progress(report), Path(folder), limit_bytes, opened)
            unpacked = unpack(uploads, work)
            container, members = choose(unpacked, work)
            if container == "corpus":
                return Ingested(*corpus.ingest(members, output, source, work), findings.as_dict())
            samples, declared = read(container, members, unpacked, work)
            arranged = arrange(samples, declared, work)
            manifest = pack(samples, arranged, output, source, work)
    except Refused as refused:
        refused.detail = findings.as_dict()
        raise
    counts = np.bincount(arranged.splits, minlength=len(SPLITS)).tolist()
    splits = {split: count for split, count in zip(SPLITS, counts, strict=True) if count}
    return Ingested(manifest, splits, findings.as_dict())

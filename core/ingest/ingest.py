"""Uploaded files -> a data set file and its findings."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.ingest import corpus, forecast
from core.ingest.arrange import arrange
from core.ingest.findings import Findings, Refused
from core.ingest.kinds import choose, read
from core.ingest.pack import pack
from core.ingest.unpack import Upload, unpack
from core.ingest.work import Progress, Work
from core.specs import IngestOptions


@dataclass(frozen=True)
class Ingested:
    """A data set file was written.

    ``manifest``: kind, task, shape, dtype, classes, source, names of ``targets`` and ``columns`` of numbers,
    ``lengths`` [min, max] where they vary, ``rate`` of recordings; the file has it too.
    ``splits``: samples of train, test, and of validation if the files bring one; of a forecast's table rows, of a
    corpus characters.
    ``findings``, JSON-able: samples {split: {class: count}}, or targets {split: {target: {min, mean, ...}}} of a
    regression, or columns in the same way and time {column, first, last, step, ...} of a forecast, or text {split:
    {characters, distinct_characters, lines}} of a corpus; shape, lengths
    {min, median, max} where they vary, skipped [{file, row?, reason}], ignored_files, single_sample_classes (at most
    100 of each of these, and their _total), empty_classes, duplicates_within_train, duplicates_across_splits {count,
    examples}, converted {what: count}, notes.
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
    memory_bytes: int | None = None,
    source: str,
    report: Callable[[str, int, int | None], None],
) -> Ingested:
    """Read the uploads and write the data set file ``output``: the same bytes for the same files and options.

    The file is safetensors: ``{split}.inputs`` (images uint8 [N, H, W, C], series float32 [N, T, F]) and
    ``{split}.targets`` int64 [N]; where lengths vary, zeros follow the end of a series and ``{split}.lengths`` int64
    [N] says where it is; a text set has ``{split}.text`` (UTF-8, one sample after the other) and ``{split}.offsets``
    int64 [N + 1] instead of inputs, a set of recordings ``{split}.audio`` int16 and offsets in the same way. Targets
    of a regression are float32 [N, targets]. A forecast has ``{split}.rows`` float32 [T, F] alone, those of test
    following on those of train; a corpus has text and offsets, those of pieces of 500 characters.

    ``limit_bytes`` bounds what archives unpack to, and the samples; ``scratch`` needs room for both and is left as
    it was. ``memory_bytes`` (null: as many) bounds a forecast's table, and arrays of an npz that are stored column by
    column: they are in memory as a whole; of all else some megabytes are.

    ``report(stage, done, total or None)`` is called a few times a second: ``unpacking`` bytes of the uploads, then
    samples, in ``looking at headers`` (pictures and recordings only), ``reading``, ``checking`` and ``writing``.

    Raises:
        Refused: the files make no data set; ``output`` is not written.
    """
    findings = Findings()
    try:
        with TemporaryDirectory(prefix="ingest-", dir=scratch) as folder, ExitStack() as opened:
            limits = limit_bytes, memory_bytes or limit_bytes
            work = Work(options, findings, Progress(report), Path(folder), *limits, opened)
            unpacked = unpack(uploads, work)
            group, members = choose(unpacked, work)
            if group == "corpus":
                manifest, splits = corpus.pack(members, output, source, work)
            elif forecast.is_one(group, members, work):
                manifest, splits = forecast.pack(members[0], output, source, work)
            else:
                samples, declared = read(group, members, unpacked, work)
                arranged = arrange(samples, declared, work)
                manifest = pack(samples, arranged, output, source, work)
                splits = arranged.counts
    except Refused as refused:
        refused.detail = findings.as_dict()
        raise
    return Ingested(manifest, splits, findings.as_dict())

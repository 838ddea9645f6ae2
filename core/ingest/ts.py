"""The ``.ts`` format of the UEA and UCR archives: a series a line, channels separated by colons, the class last."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.ingest import numbers
from core.ingest.findings import Refused, shown
from core.ingest.members import Member, not_utf8
from core.ingest.names import by_split
from core.ingest.samples import Samples, bad_label
from core.ingest.work import Work


@dataclass
class _Header:
    """What stands above ``@data``."""

    labels: list[str] = field(default_factory=list)
    features: int | None = None
    complete: bool = False


def read(members: list[Member], work: Work) -> tuple[Samples, list[str]]:
    """All series of all files, and the classes that the headers name; train and test are told by the files' names."""
    samples: Samples | None = None
    declared: list[str] = []
    for member, split in by_split(members):
        header = _Header()
        for row, line in _data(member, header, work.options.task == "regression"):
            series = _series(line, header)
            if isinstance(series, str):
                work.findings.skip(member.name, series, row)
                continue
            values, label = series
            if samples is None:
                samples = Samples(work, "series", values.shape[1:], "float32")
            if values.shape[1] != samples.item[0]:
                reason = f"the series has {values.shape[1]:,} channels, the first has {samples.item[0]:,}"
                work.findings.skip(member.name, reason, row)
            else:
                samples.add(values, label, split, member.name, row)
        if not header.complete:
            raise Refused(f"{member.name} has no line @data; is it a .ts file of time series?")
        declared += header.labels
        work.findings.note(f"{member.name}: .ts{f' ({split})' if split else ''}")
    if samples is None:
        work.findings.check(0)
        raise Refused("the files hold no samples")
    return samples, declared


def _data(member: Member, header: _Header, numeric: bool) -> Iterator[tuple[int, str]]:
    """The lines below ``@data`` with their row numbers; fills the header on the way.

    ``numeric``: what stands last in a line is a number to foretell, and no class.
    """
    for row, line in enumerate(member.lines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if header.complete:
            yield row, line
        elif line.startswith("@"):
            _read_header(member.name, row, line, header, numeric)
        else:
            raise Refused(
                f"{member.name}, row {row}: {shown(line[:40])!r} stands before @data; is it a .ts file of time series?"
            )


def _read_header(file: str, row: int, line: str, header: _Header, numeric: bool) -> None:
    word, *values = line.split()
    match word[1:].lower():
        case "data":
            header.complete = True
        case "timestamps" if values[:1] and values[0].lower() == "true":
            raise Refused(f"{file}, row {row}: series with time stamps are not read; write the values alone")
        case "targetlabel" if values[:1] and values[0].lower() == "true":
            if not numeric:
                raise Refused(
                    f"{file}, row {row}: the targets are numbers (@targetLabel); give the option task=regression"
                )
        case "classlabel" if not numeric:
            if not values or values[0].lower() != "true":
                raise Refused(f"{file}, row {row}: the series have no classes (@classLabel is not true)")
            header.labels = [label for label in values[1:] if bad_label(label) is None]
        case "dimensions" | "dimension" if values and values[0].isdecimal() and len(values[0]) < 7:
            header.features = int(values[0])
        case _:
            pass  # names and remarks


def _series(line: str, header: _Header) -> tuple[NDArray[np.float32], str] | str:
    """([time, features], class) of a line, or why it is none."""
    *channels, label = line.split(":")
    label = label.strip()
    reason = not_utf8(label) or bad_label(label)
    if reason is not None:
        return reason
    if not channels:
        return "the line has no colon between values and class"
    if header.labels and label not in header.labels:
        return f"the class {shown(label)!r} is not among those that @classLabel names"
    if header.features is not None and len(channels) != header.features:
        return f"the series has {len(channels):,} channels, @dimensions says {header.features:,}"
    parsed = []
    for number, channel in enumerate(channels, 1):
        values = numbers.parse(channel.split(","), _places(number))
        if isinstance(values, str):
            return values
        parsed.append(values)
    lengths = {len(values) for values in parsed}
    if len(lengths) > 1:
        return f"the channels have {min(lengths):,} to {max(lengths):,} values; those of a series must be equally long"
    return np.stack(parsed, axis=1), label


def _places(channel: int) -> Callable[[int], str]:
    return lambda index: f"channel {channel}, value {index + 1}"

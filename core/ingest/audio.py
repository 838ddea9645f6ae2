"""Recordings in a folder per class, or with the class in their names, decoded by ``core.encode.audio``."""

from collections import Counter

from core.encode import audio
from core.ingest.findings import Refused, shown
from core.ingest.labels import Labelled, labelled
from core.ingest.members import Member
from core.ingest.samples import Samples
from core.ingest.unpack import Unpacked
from core.ingest.work import Work

EXTENSIONS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3")
OTHER_EXTENSIONS = (".m4a", ".aac", ".wma", ".opus", ".aif", ".aiff", ".au", ".amr")
"""Recordings that are not read, which is said of each."""
_MOST_NAMED = 5


def is_recording(member: Member) -> bool:
    """By its first bytes."""
    head = member.read(12)
    return head.startswith((b"fLaC", b"OggS", b"ID3")) or (head[:4] == b"RIFF" and head[8:] == b"WAVE")


def read(members: list[Member], unpacked: Unpacked, work: Work) -> tuple[Samples, list[str]]:
    """The recordings, and the classes that folders name. All headers are read first: they decide the rate."""
    files, declared = labelled(members, unpacked, work)
    found = _headers(files, work)
    rate = _rate(found, work)
    samples = Samples(work, "audio", (), "int16")
    samples.expected, samples.rate = len(found), rate
    silent: list[str] = []
    for file, own in found:
        try:
            recording, channels = audio.decode(_content(file.member), rate)
        except ValueError as error:
            work.findings.skip(file.member.name, str(error))
            continue
        if channels > 1:
            work.findings.converted[f"{channels} channels made mono"] += 1
        if own != rate:
            work.findings.converted[f"resampled to {rate:,} Hz"] += 1
        if not recording.any():
            silent.append(file.member.name)
        samples.add(recording, file.label, file.split, file.member.name)
    if silent:
        named = ", ".join(shown(name) for name in silent[:_MOST_NAMED]) + (", ..." if silent[_MOST_NAMED:] else "")
        work.findings.note(f"{len(silent):,} recordings are silent from beginning to end: {named}")
    return samples, declared


def _headers(files: list[Labelled], work: Work) -> list[tuple[Labelled, int]]:
    found = []
    for number, file in enumerate(files):
        work.progress("looking at headers", number, len(files))
        try:
            found.append((file, audio.probe(_content(file.member))))
        except ValueError as error:
            work.findings.skip(file.member.name, str(error))
    work.findings.check(len(found))
    return found


def _rate(found: list[tuple[Labelled, int]], work: Work) -> int:
    """The one rate that all have or the options name."""
    if work.options.rate is not None:
        return work.options.rate
    rates = Counter(rate for _, rate in found)
    (common, most), *others = rates.most_common()
    if others:
        other = next(file.member.name for file, rate in found if rate == others[0][0])
        raise Refused(
            f"the recordings have {len(rates):,} sample rates: {most:,} of {len(found):,} have {common:,} Hz, "
            f"{shown(other)} has {others[0][0]:,} Hz; give the option rate to resample all"
        )
    return common


def _content(member: Member) -> bytes:
    if member.size > audio.MAX_BYTES:
        raise ValueError(f"the file has {member.size:,} bytes; the limit for a recording is {audio.MAX_BYTES:,}")
    return member.read()

"""Files that are a sample each: the class is the name of the folder, or a part of the file's own name."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from core.ingest.findings import Refused, shown
from core.ingest.members import Member
from core.ingest.names import Pattern, layout
from core.ingest.samples import bad_label
from core.ingest.unpack import Unpacked
from core.ingest.work import Work


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file, its class, and the split that its folders name."""

    member: Member
    label: str
    split: str | None


def labelled(members: list[Member], unpacked: Unpacked, work: Work) -> tuple[list[Labelled], list[str]]:
    """The files in the order of their names, and the classes that folders name, even if empty.

    Files that have no class are skipped and named. Refused when they are too many.
    """
    members = sorted(members, key=lambda member: member.name)
    places = layout(member.name for member in members)
    pattern = Pattern(work.options.pattern) if work.options.pattern is not None else None
    found = []
    for member in members:
        split, label = places.place(member.name)
        if pattern is not None:
            label = pattern.label(member.name)
            missing = f"the name does not match the pattern {pattern.pattern!r}"
        else:
            missing = "it is in no class's folder; put it into one, or give a pattern if the class is in its name"
        reason = missing if label is None else bad_label(label)
        if label is None or reason is not None:
            work.findings.skip(member.name, reason or missing)
        else:
            found.append(Labelled(member, label, split))
    work.findings.check(len(found))
    if work.options.test_pattern is not None:
        found = _held_out(found, work.options.test_pattern, work)
    if pattern is not None:
        work.findings.note(f"a file per sample, its class by the pattern {pattern.pattern}")
        return found, []
    above, below = ", below a folder per split", ", with a folder per split in each"
    work.findings.note("a folder per class" + (above if places.splits else below if places.inner else ""))
    depth = places.top + (2 if places.splits or places.inner else 1)
    if any(one.member.name.count("/") > depth for one in found):
        work.findings.note("files in folders below a class's folder are of that class")
    declared = [label for folder in unpacked.folders if (label := places.place(folder.strip("/") + "/")[1]) is not None]
    return found, [label for label in declared if bad_label(label) is None]


def _held_out(files: list[Labelled], pattern: str, work: Work) -> list[Labelled]:
    """The files whose names match are of the test split, whatever their folders say."""
    held = [fnmatchcase(one.member.name.rsplit("/", 1)[-1], pattern) for one in files]
    if all(held) or not any(held):
        number = "all files match" if all(held) else "no file matches"
        raise Refused(
            f"{number} test_pattern {shown(pattern)!r}, for example {shown(files[0].member.name)!r}; it is compared "
            "with whole names, without folders: * stands for any text, ? for one character"
        )
    work.findings.note(f"the test split is the {sum(held):,} files whose names match {shown(pattern)}")
    return [Labelled(one.member, one.label, "test" if out else one.split) for one, out in zip(files, held, strict=True)]

"""What the files are, by their names and first bytes, and which reader they need."""

from collections import Counter

from core.ingest import audio, corpus, idx, images, npz, tables, texts, ts
from core.ingest.findings import Refused
from core.ingest.members import Member
from core.ingest.names import extension, stem
from core.ingest.samples import Samples
from core.ingest.unpack import Unpacked
from core.ingest.work import Work

_EXTENSIONS = {
    **dict.fromkeys((*images.EXTENSIONS, *images.OTHER_EXTENSIONS), "images"),
    **dict.fromkeys((*audio.EXTENSIONS, *audio.OTHER_EXTENSIONS), "audio"),
    **dict.fromkeys(tables.EXTENSIONS, "tables"),
    ".npz": "npz",
    ".ts": "ts",
    ".txt": "texts",
}
_READ_AS = {
    "image": ("images", "idx", "npz"),
    "series": ("tables", "ts", "npz"),
    "text": ("tables", "texts"),
    "audio": ("audio",),
    "corpus": ("texts",),
    None: ("images", "audio", "idx", "npz", "tables", "ts", "texts"),
}
"""In the order of preference where a container may hold several kinds."""
_BESIDE = ("license", "licence", "readme", "copying", "authors", "citation", "changelog")


def choose(unpacked: Unpacked, work: Work) -> tuple[str, list[Member]]:
    """Which reader is needed, and the files for it; all others are ignored. ``corpus`` is one text.

    Refused: no files that can be read, or several containers of which none is plainly meant.
    """
    groups: dict[str, list[Member]] = {}
    for member in unpacked.members:
        groups.setdefault(_group(member), []).append(member)
    present = [group for group in _READ_AS[work.options.kind] if group in groups]
    files = [group for group in present if group in ("images", "audio")]
    if len(files) == 1 and "idx" not in present and "npz" not in present:
        present = files  # lists and explanations beside them are not read
    elif len(present) > 1 and "texts" in present:
        present.remove("texts")
    if len(present) != 1:
        raise Refused(_undecided(unpacked.members, present, work))
    chosen = groups.pop(present[0])
    for others in groups.values():
        for member in others:
            work.findings.ignore(member.name)
    if present[0] == "texts" and corpus.is_one(chosen, work.options):
        return "corpus", chosen
    return present[0], chosen


def read(container: str, chosen: list[Member], unpacked: Unpacked, work: Work) -> tuple[Samples, list[str]]:
    """The samples of a container's files, and the classes that the files name, with samples or without."""
    if work.options.test_pattern is not None and container not in ("images", "audio", "texts"):
        raise Refused("test_pattern is for files that are a sample each; leave it out")
    match container:
        case "images":
            return images.read(chosen, unpacked, work)
        case "audio":
            return audio.read(chosen, unpacked, work)
        case "idx":
            return idx.read(chosen, work), []
        case "npz":
            return npz.read(chosen, work), []
        case "ts":
            return ts.read(chosen, work)
        case "tables":
            return tables.read(chosen, work), []
        case _:
            return texts.read(chosen, unpacked, work)


def _group(member: Member) -> str:
    if stem(member.name).lower() in _BESIDE:
        return "other"
    known = _EXTENSIONS.get(extension(member.name))
    if known is not None:
        return known
    if idx.is_idx(member):
        return "idx"
    if images.is_picture(member):
        return "images"
    return "audio" if audio.is_recording(member) else "other"


def _undecided(members: list[Member], present: list[str], work: Work) -> str:
    counts = Counter(extension(member.name) or "no extension" for member in members)
    seen = ", ".join(f"{count:,} with {kind}" for kind, count in counts.most_common(5)) + (
        "" if len(counts) < 6 else ", ..."
    )
    if present:
        return (
            f"the upload holds several kinds of containers ({', '.join(present)}; files: {seen}); "
            "send one, or say which with the option kind (image, series, text, audio or corpus)"
        )
    wanted = f"no {work.options.kind} samples" if work.options.kind else "nothing that is read"
    return (
        f"there is {wanted} in the upload (files: {seen}). Read are: png, jpeg, bmp, webp, wav, flac, "
        "ogg, mp3 in a folder per class, IDX, npz, csv, tsv, jsonl, ts, and txt in a folder per class, one per class, "
        "or as one text"
        + ("; the option kind may be wrong" if work.options.kind else "")
        + ("; tables and texts are known by their names: send filename" if "no extension" in counts else "")
    )

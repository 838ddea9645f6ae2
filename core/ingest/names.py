"""Names of files: which are safe, which say train or test, and which folder is the class. Never used as paths."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.ingest.findings import Refused, printable, shown
from core.ingest.members import Member

LONGEST_NAME = 1000
SPLITS = ("train", "validation", "test")
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",  # MNIST's own word
}


def of_upload(name: str, number: int) -> str:
    """A client's name for a file, as relative folders and a name; what would lead out of a folder is dropped."""
    parts = [part for part in _parts(name) if part not in ("", ".", "..") and not re.fullmatch("[A-Za-z]:", part)]
    return printable("/".join(parts))[-LONGEST_NAME:] or f"file {number}"


def of_member(name: str, archive: str) -> str:
    """A member's name inside an archive, slashes and Unicode normalised. Refused if it would lead out of a folder."""
    parts = _parts(name)
    if parts[0] == "" or re.match("[A-Za-z]:", parts[0]) or ".." in parts:
        raise Refused(f"{archive}: the member {shown(name)!r} leads out of its folder; pack the files again")
    if any(0xD800 <= ord(one) <= 0xDFFF for one in name):
        raise Refused(f"{archive}: the name of the member {shown(name)!r} is not UTF-8; pack the files again")
    if len(name) > LONGEST_NAME:
        raise Refused(f"{archive}: the name of the member {shown(name)!r} has {len(name):,} characters")
    return printable("/".join(part for part in parts if part not in ("", ".")))


def _parts(name: str) -> list[str]:
    return unicodedata.normalize("NFC", name).replace("\\", "/").split("/")


def is_hidden(name: str) -> bool:
    """What operating systems leave in folders: .DS_Store, ._x, __MACOSX/, Thumbs.db, desktop.ini."""
    parts = name.split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in (
        "thumbs.db",
        "desktop.ini",
    )


def extension(name: str) -> str:
    """``.png`` of ``a/B.PNG``; empty when there is none."""
    match = re.search(r"[^/](\.[A-Za-z0-9]{1,8})$", name)
    return match[1].lower() if match else ""


def stem(name: str) -> str:
    """The last part of a name without its extension."""
    last = name.rsplit("/", 1)[-1]
    return last[: len(last) - len(extension(last))]


def split_of(name: str) -> str | None:
    """The split that a word of a folder's or file's name says (``JapaneseVowels_TEST.ts``); None: none or several."""
    words = re.split(r"[^a-z0-9]+", stem(name).lower())
    found = {_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def by_split(members: Sequence[Member]) -> list[tuple[Member, str | None]]:
    """Files with their splits (``splits_of_files``): train first, then by name."""
    members = sorted(members, key=lambda member: member.name)
    pairs = zip(members, splits_of_files([member.name for member in members]), strict=True)
    return sorted(pairs, key=lambda pair: 0 if pair[1] is None else SPLITS.index(pair[1]))


def splits_of_files(names: Sequence[str]) -> list[str | None]:
    """The split of each file by its name or folders. If all are of one split it is the whole set, so none is named."""
    found = [
        split_of(name) or next(filter(None, map(split_of, reversed(name.split("/")[:-1]))), None) for name in names
    ]
    if len(set(found)) == 1:
        return [None] * len(names)
    return ["train" if split is None else split for split in found]


@dataclass(frozen=True)
class Layout:
    """Folders of an upload: ``top`` common ones, perhaps one per split (with common ones below), then the class.

    ``inner``: the folders below the classes that are splits, where they stand there.
    """

    top: int
    splits: dict[str, tuple[str, int]]
    inner: dict[str, str]

    def place(self, name: str) -> tuple[str | None, str | None]:
        """(split, class) of a file by its folders; None where they do not say."""
        folders = name.split("/")[:-1][self.top :]
        split = None
        if self.splits:
            if not folders or folders[0] not in self.splits:
                return None, None
            split, below = self.splits[folders[0]]
            folders = folders[1 + below :]
        elif self.inner and len(folders) > 1:
            split = self.inner.get(folders[1])
        return split, folders[0] if folders else None


def layout(names: Iterable[str]) -> Layout:
    """Find the folders' meaning from the samples' names. A class may well be called ``train``, beside ``car``.

    Refused: folders for train and for test, and others beside them that may be anything.
    """
    different = {tuple(name.split("/")[:-1]) for name in names}
    top = _common(different)
    different = {one[top:] for one in different}
    firsts = {one[0] for one in different if one}
    splits = _all_splits(firsts)
    if splits:
        below = {first: _common({one[1:] for one in different if one[:1] == (first,)}) for first in firsts}
        return Layout(top, {first: (split, below[first]) for first, split in splits.items()}, {})
    plain = {first for first in firsts if first.lower() in _SPLIT_WORDS}
    if len({_SPLIT_WORDS[first.lower()] for first in plain}) > 1:
        why = f"{min(firsts - plain)} is beside them" if firsts - plain else "two of them are one"
        raise Refused(f"the folders {' and '.join(sorted(plain))} are splits, but {why}; send what is to be read apart")
    inner = {one[1] for one in different if len(one) == 2}
    return Layout(top, {}, _all_splits(inner) if all(len(one) == 2 for one in different) else {})


def _all_splits(folders: set[str]) -> dict[str, str]:
    """The split of each folder if each is another one; else nothing."""
    found = {folder: split for folder in sorted(folders) if (split := split_of(folder)) is not None}
    return found if len(found) == len(folders) == len(set(found.values())) > 1 else {}


def _common(folders: set[tuple[str, ...]]) -> int:
    """How many leading folders all share, while at least one folder remains below."""
    depth = 0
    while folders and all(len(one) > depth + 1 for one in folders) and len({one[depth] for one in folders}) == 1:
        depth += 1
    return depth


class Pattern:
    """``{label}_{rest}``: literal text between placeholders; each stands for as little text as possible."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        pieces = re.split(r"\{(\w*)\}", pattern)
        self._literals, self._placeholders = pieces[::2], pieces[1::2]
        if "" in self._literals[1:-1]:
            raise Refused(f"the pattern {shown(pattern)!r} needs some text between its placeholders")

    def label(self, name: str) -> str | None:
        """The class in a file's name (without folders and extension); None if it does not match. Linear time."""
        text, label = stem(name), None
        if not text.startswith(self._literals[0]):
            return None
        place, last = len(self._literals[0]), len(self._placeholders) - 1
        for number, (placeholder, literal) in enumerate(zip(self._placeholders, self._literals[1:], strict=True)):
            least = place + (placeholder == "label")
            end = text.find(literal, least) if number < last else len(text) - len(literal)
            if end < least or not text.startswith(literal, end):
                return None
            if placeholder == "label":
                label = text[place:end]
            place = end + len(literal)
        return label

"""Uploads to members: archives are unpacked, under limits, into one scratch file; plain files stay where they are.

No member's name is ever used as a path. What a file is, is decided by its first bytes, not by its name.
"""

import gzip
import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from core.ingest import tar
from core.ingest.archives import MOST_MEMBERS, check_count, damage
from core.ingest.findings import Refused, shown
from core.ingest.members import Member
from core.ingest.names import extension, is_hidden, of_member, of_upload
from core.ingest.work import Work

MOST_RATIO = 200
"""An archive may grow by this factor, once it has grown beyond ``FREE_BYTES``: real data sets stay far below."""
FREE_BYTES = 64 * 2**20
_STEP = 2**20
_ZIP, _GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
_OTHER_ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.gz|gz)$", re.IGNORECASE)
_NESTED = re.compile(r"\.(zip|tar|tgz|tar\.gz|7z|rar|xz|bz2|tbz2|txz)$", re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    """One uploaded file; ``name`` as the client gave it: it may be anything and is never used as a path."""

    name: str
    path: Path


@dataclass
class Unpacked:
    """Every file of the uploads but hidden ones, and the names of the folders that archives list."""

    members: list[Member] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def unpack(uploads: Sequence[Upload], work: Work) -> Unpacked:
    """Open all uploads. Refused: damaged, encrypted, nested or hostile archives; two files of one name; no file."""
    if not uploads:
        raise Refused("nothing was uploaded")
    names = [of_upload(upload.name, number) for number, upload in enumerate(uploads, 1)]
    archives = [_is_archive(upload.path, name) for upload, name in zip(uploads, names, strict=True)]
    total = sum(upload.path.stat().st_size for upload in uploads)
    with (work.folder / "members").open("wb", buffering=0) as spool:
        unpacking = _Unpacking(work, spool, total)
        for upload, name, archive in zip(uploads, names, archives, strict=True):
            # members of several archives must not collide, and an archive's name may say train or test
            prefix = _ARCHIVE.sub("", name) + "/" if archive and len(uploads) > 1 else ""
            unpacking.upload(upload.path, name, prefix)
    if not unpacking.found.members:
        ignored = work.findings.ignored_total
        raise Refused(f"the upload is empty{f': {ignored:,} hidden files were ignored' if ignored else ''}")
    return unpacking.found


def _is_archive(path: Path, name: str) -> bool:
    with path.open("rb") as file:
        head = file.read(tar.BLOCK)
    if head.startswith(_GZIP):
        with damage(name), gzip.open(path) as stream:
            head = stream.read(tar.BLOCK)
            return tar.is_header(head)
    return (head.startswith(_ZIP) and extension(name) != ".npz") or tar.is_header(head)


class _Unpacking:
    def __init__(self, work: Work, spool: FileIO, total: int) -> None:
        self.found = Unpacked()
        self._work = work
        self._spool = spool
        self._unpacked = self._packed = self._before = 0
        self._total = total
        self._done = 0
        self._position: Callable[[], int] = int
        self._names: set[str] = set()
        self._folded: set[str] = set()

    def upload(self, path: Path, name: str, prefix: str) -> None:
        """One uploaded file, an archive or not."""
        self._packed, self._before = path.stat().st_size, self._unpacked
        with path.open("rb") as file, damage(name):
            head = file.read(tar.BLOCK)
            file.seek(0)
            self._position = file.tell
            for magic, what in _OTHER_ARCHIVES.items():
                if head.startswith(magic):
                    raise Refused(f"{shown(name)} is packed with {what}; zip, tar, tar.gz and gz are read")
            if head.startswith(_ZIP) and extension(name) != ".npz":
                self._zip(file, name, prefix)
            elif head.startswith(_GZIP):
                self._gzip(file, name, prefix)
            elif tar.is_header(head):
                self._tar(_Counted(file, self, name), name, prefix)
            elif _NESTED.search(name) or extension(name) == ".gz" or _is_wrong_npz(head, name):
                raise Refused(f"{shown(name)} is no {extension(name)[1:]} file: it begins with {head[:8]!r}")
            elif self._take(name):
                self.found.members.append(Member(name, path, 0, self._packed))
        self._done += self._packed
        self._work.progress("unpacking", self._done, self._total)

    def _zip(self, file: BinaryIO, name: str, prefix: str) -> None:
        check_count(file, name)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            declared = sum(member.file_size for member in members)
            if self._unpacked + declared > self._work.limit_bytes:
                raise self._too_large(name, self._unpacked + declared)
            for member in members:
                inner = of_member(_real_name(member), name)
                mode = member.external_attr >> 16 if member.create_system == 3 else 0
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise Refused(
                        f"{name}: the member {shown(inner)!r} is a link or a device; pack the files themselves"
                    )
                if member.is_dir():
                    self.found.folders.append(prefix + inner)
                elif member.flag_bits & 1:
                    raise Refused(
                        f"{name}: the member {shown(inner)!r} is encrypted; pack the files without a password"
                    )
                elif self._take(prefix + inner, name):
                    with archive.open(member) as stream:
                        self._store(prefix + inner, _Counted(stream, self, name), name)

    def _gzip(self, file: BinaryIO, name: str, prefix: str) -> None:
        with gzip.GzipFile(fileobj=file) as stream:
            head = stream.read(tar.BLOCK)
            stream.seek(0)
            if tar.is_header(head):
                return self._tar(_Counted(stream, self, name), name, prefix)
            if re.search(r"\.(tgz|tar(\.gz)?)$", name, re.IGNORECASE):
                raise Refused(f"{shown(name)} holds no tar archive: it begins with {head[:8]!r}")
            inner = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
            if head.startswith((*_ZIP, _GZIP)) and extension(inner) != ".npz":
                raise Refused(f"{shown(name)} holds another archive; unpack it first")
            if self._take(inner):
                self._append(inner, _Counted(stream, self, name))

    def _tar(self, source: tar.Stream, name: str, prefix: str) -> None:
        for entry in tar.entries(source, name):
            inner = of_member(entry.name, name)
            if entry.folder:
                self.found.folders.append(prefix + inner)
                if len(self.found.folders) > MOST_MEMBERS:
                    raise self._too_many(name)
            elif self._take(prefix + inner, name):
                self._store(prefix + inner, entry, name)

    def _take(self, name: str, archive: str = "") -> bool:
        """Whether a file is wanted. Its name must be like no other's."""
        if is_hidden(name):
            self._work.findings.ignore(name)
            return False
        place = f"{shown(archive)}: " if archive else ""
        if archive and _NESTED.search(name):
            raise Refused(f"{place}{shown(name)} is an archive inside an archive; unpack it first")
        if name in self._names:
            raise Refused(f"{place}{shown(name)} is there twice; every file needs a name of its own")
        self._names.add(name)
        if name.casefold() in self._folded:  # some systems would lose one; but letters A and a are real classes
            self._work.findings.note(f"names that differ only in case are different files, e.g. {shown(name)}")
        self._folded.add(name.casefold())
        if len(self._names) > MOST_MEMBERS:
            raise self._too_many(archive)
        return True

    def _store(self, name: str, stream: tar.Stream, archive: str) -> None:
        """Append a member to the scratch file; a single .gz file inside an archive is decompressed on the way."""
        if archive and extension(name) == ".gz":
            inner = name[: -len(".gz")]
            if self._take(inner, archive):
                with gzip.GzipFile(fileobj=stream) as plain:  # type: ignore[call-overload]
                    self._append(inner, _Counted(plain, self, archive))
        else:
            self._append(name, stream)

    def _append(self, name: str, stream: tar.Stream) -> None:
        start = self._spool.tell()
        while data := stream.read(_STEP):
            self._spool.write(data)
            self._work.progress("unpacking", self._done + self._position(), self._total)
        self.found.members.append(Member(name, self._work.folder / "members", start, self._spool.tell() - start))

    def count(self, size: int, archive: str) -> None:
        """Bytes that came out of an archive, wanted or not. Refused: too many."""
        self._unpacked += size
        grown = self._unpacked - self._before
        if self._unpacked > self._work.limit_bytes:
            raise self._too_large(archive, self._unpacked)
        if grown > FREE_BYTES and grown > MOST_RATIO * self._packed:
            raise Refused(
                f"{shown(archive)} grows from {self._packed:,} to more than {grown:,} bytes; "
                f"at most {MOST_RATIO} times its size is unpacked"
            )

    def _too_many(self, archive: str) -> Refused:
        return Refused(f"{shown(archive) or 'the upload'} has more than {MOST_MEMBERS:,} files")

    def _too_large(self, archive: str, size: int) -> Refused:
        return Refused(
            f"{shown(archive)} unpacks to at least {size:,} bytes; the limit for all is {self._work.limit_bytes:,}"
        )


def _is_wrong_npz(head: bytes, name: str) -> bool:
    return extension(name) == ".npz" and not head.startswith(_ZIP)


class _Counted:
    """A stream whose bytes count."""

    def __init__(self, source: tar.Stream, unpacking: _Unpacking, archive: str) -> None:
        self._source, self._unpacking, self._archive = source, unpacking, archive

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._unpacking.count(len(data), self._archive)
        return data


def _real_name(member: zipfile.ZipInfo) -> str:
    """Without the flag for UTF-8 zipfile reads code page 437; macOS writes UTF-8 and sets no flag."""
    if not member.flag_bits & 0x800:
        try:
            return member.filename.encode("cp437").decode()
        except UnicodeError:
            pass  # code page 437 in fact
    return member.filename

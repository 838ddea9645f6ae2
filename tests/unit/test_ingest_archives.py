"""Archives that are damaged, hostile or odd: each is refused with its name and the reason, or read."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from ingesting import Files, folders, ingested, ingested_files, packed_tar, packed_zip, picture

from core.ingest import Refused, Upload, archives, unpack
from core.specs import IngestOptions

FILES = folders(5)


def refused(files: Files, message: str, **options: object) -> None:
    with pytest.raises(Refused, match=message):
        ingested(files, **options)  # type: ignore[arg-type]


def test_nothing_at_all() -> None:
    refused({}, "nothing was uploaded")
    refused({"a.zip": packed_zip({})}, "the upload is empty")
    refused({"a.tar.gz": packed_tar({})}, r"a\.tar\.gz holds no tar archive")
    refused({"a.zip": packed_zip({"x/.DS_Store": b""})}, "the upload is empty: 1 hidden files were ignored")
    refused({"a.csv": b""}, r"a\.csv is empty")
    refused({"cat": b""}, "there is nothing that is read in the upload .files: 1 with no extension.")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_of_every_format_with_long_and_foreign_names(form: int, mode: str) -> None:
    long = "a" * 90
    names = {f"{long}/{label}/{number}.png": picture(number) for label in ("cat", "dog") for number in range(3)}
    if form != tarfile.USTAR_FORMAT:
        names |= {f"{long}/{label}/{'ü' * 80}.png": picture(9) for label in ("cat", "dog")}
    assert ingested({"x": packed_tar(names, mode, form)}).classes == ["cat", "dog"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_cut_off_archives(name: str, share: float) -> None:
    packed = {
        "a.zip": packed_zip(FILES),
        "a.tar.gz": packed_tar(FILES),
        # without the blocks of zeros that pad the file: their loss would be no loss
        "a.tar": packed_tar(FILES, "w").rstrip(b"\0") + bytes(1024),
    }[name]
    refused({name: packed[: int(len(packed) * share)]}, r"a\.(zip|tar\.gz|tar) (is cut off|is damaged|is no|holds no)")


def test_a_tar_cut_between_two_members_is_cut_off() -> None:
    packed = packed_tar({name: data.ljust(1024, b"\1") for name, data in FILES.items()}, "w")
    size = 512 + 1024
    assert len(packed) > 5 * size
    refused({"a.tar": packed[: 5 * size]}, r"a\.tar is cut off")


def test_a_cut_off_gz() -> None:
    packed = gzip.compress(b"label,text\n" + b"a,some text\nb,more text\n" * 500)
    refused({"a.csv.gz": packed[:-20]}, r"a\.csv\.gz is (cut off|damaged)")
    refused({"a.csv.gz": packed[:-4] + b"\0\0\0\1"}, r"a\.csv\.gz is damaged")


@pytest.mark.parametrize("name", ["../evil.png", "cat/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png"])
@pytest.mark.parametrize("pack", [packed_zip, packed_tar])
def test_members_that_would_lead_out_of_the_folder(name: str, pack: object) -> None:
    refused({"a.bin": pack({**FILES, name: picture(1)})}, r"a\.bin: the member .*evil.* leads out")  # type: ignore[operator]


def test_the_clients_names_are_never_paths() -> None:
    named = {f"../../../C:\\{name}": data for name, data in FILES.items()}
    assert ingested(named).classes == ["cat", "dog"]
    odd = {f"/tmp/\x00/{name}\udc80": data for name, data in FILES.items()}
    assert ingested(odd).classes == ["cat", "dog"]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
    ],
)
def test_links_and_devices_in_tar(kind: bytes, word: str) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("cat/link.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    refused({"a.tgz": file.getvalue()}, rf"a\.tgz: the member 'cat/link\.png' is a {word}")


def test_links_in_zip() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo("cat/link.png")
        member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    refused({"a.zip": file.getvalue()}, r"a\.zip: the member 'cat/link\.png' is a link")


def test_encrypted_zip() -> None:
    packed = bytearray(packed_zip(FILES))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.find(signature) + place] |= 1
    refused({"a.zip": bytes(packed)}, r"a\.zip: the member 'cat/0\.png' is encrypted")


def test_a_zip_with_a_compression_that_is_not_read() -> None:
    packed = bytearray(packed_zip({"cat/0.png": picture(0)}))
    for signature, method in ((b"PK\3\4", 8), (b"PK\1\2", 10)):  # the member's own header, and the directory's
        place = packed.index(signature) + method
        packed[place : place + 2] = struct.pack("<H", 97)  # WavPack
    refused({"a.zip": bytes(packed)}, r"a\.zip uses a compression that is not read")


def test_the_same_member_twice() -> None:
    twice = [*FILES.items(), ("cat/0.png", picture(77))]
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = packed_zip(twice)
    refused({"a.zip": packed}, r"a\.zip: cat/0\.png is there twice")
    refused({"a.tar.gz": packed_tar(twice)}, r"a\.tar\.gz: cat/0\.png is there twice")
    refused({"a.tar.gz": packed_tar([*FILES.items(), ("./cat//0.png", b"")])}, r"cat/0\.png is there twice")
    with pytest.raises(Refused, match=r"a\.csv is there twice"):
        ingested([("a.csv", b"label,text\na,b\nb,c\n"), ("a.csv", b"label,text\na,b\nb,c\n")])


def test_names_that_differ_in_case_are_different_files_and_said_to_be() -> None:
    result = ingested({"a.zip": packed_zip(folders(5, ["a", "A"]))})
    assert result.classes == ["A", "a"]
    assert any("differ only in case" in note for note in result.findings["notes"])


def test_archives_inside_archives_are_refused_by_name() -> None:
    for inner in ("cat/more.zip", "more.tar.gz", "more.7z"):
        refused({"a.zip": packed_zip({**FILES, inner: b"x"})}, rf"a\.zip: {inner} is an archive inside an archive")
    refused({"a.zip.gz": gzip.compress(packed_zip(FILES))}, r"a\.zip\.gz holds another archive")


def test_a_compressed_file_inside_an_archive_is_read() -> None:
    rows = b"label,text\n" + b"".join(b"%c,text %d\n" % (97 + number % 2, number) for number in range(20))
    plain = ingested({"train.csv": rows})
    for pack in (packed_zip, packed_tar):
        assert ingested({"a.bin": pack({"train.csv.gz": gzip.compress(rows)})}).file == plain.file
    refused({"a.zip": packed_zip({"train.csv.gz": gzip.compress(rows)[:-9]})}, r"a\.zip is (cut off|damaged)")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"no zip at all", r"a\.zip is no zip file: it begins with b'no zip a'"),
        ("a.tar.gz", b"no gzip", r"a\.tar\.gz is no gz file"),
        ("a.tar.gz", gzip.compress(b"no tar", mtime=0), r"a\.tar\.gz holds no tar archive"),
        ("a.tar", b"no tar", r"a\.tar is no tar file"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c...", r"a\.7z is packed with 7z; zip, tar, tar\.gz and gz are read"),
        ("a.rar", b"Rar!\x1a\x07\x00", r"a\.rar is packed with rar"),
        ("a.txt.xz", b"\xfd7zXZ\x00", "packed with xz"),
        ("a.txt.bz2", b"BZh91AY", "packed with bzip2"),
    ],
)
def test_wrong_first_bytes(name: str, content: bytes, message: str) -> None:
    refused({name: content}, message)


def test_an_archive_by_another_name_is_read() -> None:
    assert ingested({"pets.dat": packed_zip(FILES)}).classes == ["cat", "dog"]
    assert ingested({"pets.zip": packed_tar(FILES)}).classes == ["cat", "dog"]


def test_what_an_archive_unpacks_to_is_limited() -> None:
    files = {**FILES, "cat/zeros.bin": bytes(100_000)}
    for name, packed in (("a.zip", packed_zip(files)), ("a.tgz", packed_tar(files))):
        refused({name: packed}, rf"{name} unpacks to at least [\d,]+ bytes; the limit for all is 90,000", limit=90_000)
    hidden = packed_tar({**FILES, "cat/.zeros": bytes(100_000)})
    refused({"a.tgz": hidden}, r"a\.tgz unpacks to at least", limit=90_000)
    lying = bytearray(packed_zip({"cat/zeros.bin": bytes(100_000)}))
    directory = lying.find(b"PK\x01\x02")
    lying[22:26] = lying[directory + 24 : directory + 28] = struct.pack("<I", 10)
    refused({"a.zip": bytes(lying)}, r"a\.zip is damaged", limit=90_000)


def test_bombs_are_refused_by_their_ratio() -> None:
    zeros = bytes(2 * unpack.FREE_BYTES)
    for name, packed in (("a.csv.gz", gzip.compress(zeros)), ("a.zip", packed_zip({"a.csv": zeros}))):
        refused({name: packed}, rf"{name} grows from [\d,]+ to more than [\d,]+ bytes; at most 200", limit=2**40)


def test_the_number_of_members_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archives, unpack):
        monkeypatch.setattr(module, "MOST_MEMBERS", 9)
    refused({"a.zip": packed_zip(FILES)}, r"a\.zip has more than 9 members")
    refused({"a.tar": packed_tar(FILES)}, r"a\.tar has more than 9 files")
    refused({"a.tar": packed_tar({f"{number}/.": b"" for number in range(10)})}, r"a\.tar has more than 9 files")
    refused(FILES, "has more than 9 files")


def test_a_huge_header_in_a_tar_is_refused() -> None:
    packed = packed_tar({"cat/" + "x" * 2_000_000 + ".png": b""}, form=tarfile.GNU_FORMAT)
    refused({"a.tgz": packed}, r"a\.tgz: a header of [\d,]+ bytes")
    refused(
        {"a.zip": packed_zip({"cat/" + "x" * 2_000 + ".png": b""})}, "the name of the member .* has 2,008 characters"
    )


def test_uploads_that_are_gone_are_no_fault_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ingested_files([Upload("a.csv", tmp_path / "gone")], tmp_path)


def test_a_report_that_raises_stops_the_ingest_and_leaves_nothing(tmp_path: Path) -> None:
    from core.ingest import ingest

    class Cancelled(Exception):
        pass

    def report(stage: str, done: int, total: int | None) -> None:
        if stage == "writing":
            raise Cancelled

    (tmp_path / "a.zip").write_bytes(packed_zip(FILES))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(Cancelled):
        ingest(
            [Upload("a.zip", tmp_path / "a.zip")],
            IngestOptions(),
            tmp_path / "data",
            scratch=tmp_path / "scratch",
            limit_bytes=2**20,
            source="",
            report=report,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "scratch"]
    assert list((tmp_path / "scratch").iterdir()) == []

"""One long text: what is one, how it is cut, and what it may not hold."""

import codecs
from typing import Any

import pytest
from ingesting import Files, Result, ingested, packed_tar, packed_zip
from prose import prose

from core.ingest import Refused
from core.ingest.corpus import PIECE

TEXT = prose(60)


def whole(result: Result, split: str) -> str:
    return result.tensors[f"{split}.text"].tobytes().decode()


def test_the_end_of_the_text_is_the_test_split() -> None:
    result = ingested({"play.txt": TEXT.encode()})
    assert result.ingested.manifest == {
        "kind": "corpus",
        "task": "language",
        "shape": [],
        "dtype": "utf8",
        "classes": [],
        "source": "a test",
    }
    train, test = whole(result, "train"), whole(result, "test")
    assert train + test == TEXT and len(test) == round(len(TEXT) / 10)
    assert result.findings["text"]["test"] == {
        "characters": len(test),
        "distinct_characters": len(set(test)),
        "lines": len(test.splitlines()),
    }
    assert any("the last" in note for note in result.findings["notes"])
    longer = ingested({"play.txt": TEXT.encode()}, test=0.25)
    assert len(whole(longer, "test")) == round(len(TEXT) / 4)


def test_pieces_are_500_characters_wherever_their_bytes_begin() -> None:
    text = "ä€😀b" * 400
    result = ingested({"it.txt": text.encode()}, test=0.5)
    assert result.texts("train") == [text[:PIECE], text[PIECE:800]]
    assert "".join(result.texts("test")) == text[800:]


@pytest.mark.parametrize("pack", [packed_zip, packed_tar])
def test_line_ends_are_line_feeds_and_a_byte_order_mark_is_none(pack: Any) -> None:
    windows = codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode()
    plain = ingested({"play.txt": TEXT.encode()})
    assert ingested({"play.zip": pack({"play.txt": windows})}).file == plain.file


def test_several_files_are_one_text_and_may_name_their_splits() -> None:
    half = TEXT.index("king") + 2
    parts = {"b.txt": TEXT[half:].encode(), "a.txt": TEXT[:half].encode()}
    joined = ingested(parts, kind="corpus")
    assert whole(joined, "train") + whole(joined, "test") == TEXT[:half] + "\n" + TEXT[half:]
    splits: Files = {"test.txt": b"x" * 60, "train.txt": TEXT.encode(), "valid.txt": b"y" * 50}
    result = ingested(splits)
    assert {split: whole(result, split) for split in result.ingested.splits} == {
        "train": TEXT,
        "validation": "y" * 50 + "\n",
        "test": "x" * 60 + "\n",
    }
    assert any("characters are not in the training split" in note for note in result.findings["notes"])
    by_folder = ingested({"train/play.txt": TEXT.encode(), "dev/play.txt": b"y" * 50})
    assert set(by_folder.ingested.splits) == {"train", "validation", "test"}


def test_classes_are_still_classes() -> None:
    lines = {"Greek.txt": b"alpha\nbeta\ngamma\ndelta\nzeta\n", "Latin.txt": b"unus\nduo\ntres\nquattuor\nquinque\n"}
    assert ingested(lines).ingested.manifest["kind"] == "text"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": TEXT.encode() + b"caf\xe9 noir"}, r"a\.txt, line 61: byte 0xE9 at byte [\d,]+ is not UTF-8"),
        ({"a.txt": b"\xef\xbb\xbf" + b"e" * 200 + b"\xc3"}, r"line 1: byte 0xC3 at byte 203 is not UTF-8"),
        ({"a.txt": TEXT.encode("utf-16")}, r"a\.txt is UTF-16"),
        ({"a.txt": b"ab\n\0" * 50}, r"a\.txt, line 2: byte 0x00 at byte 3 is no text"),
        ({"a.txt": b"too short"}, r"has 9 characters; at least 100"),
        ({"test.txt": TEXT.encode(), "valid.txt": TEXT.encode()}, r"no text for train"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(files: Files, message: str) -> None:
    with pytest.raises(Refused, match=message):
        ingested(files)
    with pytest.raises(Refused, match="label is for samples with classes"):
        ingested(files, kind="corpus", label="x")


def test_a_bad_byte_is_found_far_behind_the_first_piece() -> None:
    good = ("line\n" * 300_000).encode()
    with pytest.raises(Refused, match=r"line 300,001: byte 0xFF at byte 1,500,000 is not UTF-8"):
        ingested({"a.txt": good + b"\xff"})

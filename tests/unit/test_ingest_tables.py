"""Tables of texts and of series, and text files: how columns are found, and which rows are refused."""

import csv
import json

import numpy as np
import pytest
from ingesting import Files, ingested, packed_zip

from core.ingest import Refused


def refused(files: Files, message: str, **options: object) -> None:
    with pytest.raises(Refused, match=message):
        ingested(files, **options)  # type: ignore[arg-type]


def table(*rows: str, header: str = "label,text", count: int = 30) -> bytes:
    """``count`` good rows, then the rows given, which begin in line ``count`` + 2."""
    good = [f"{'ab'[number % 2]},text {number}" for number in range(count)]
    return "\n".join([header, *good, *rows, ""]).encode()


def numbers(*rows: str, header: str = "label,t0,t1,t2", count: int = 30) -> bytes:
    good = [f"{number % 2},{number},{number}.5,-1e-3" for number in range(count)]
    return "\n".join([header, *good, *rows, ""]).encode()


def test_texts_come_as_they_are_with_commas_quotes_and_line_ends() -> None:
    texts = ["plain", 'a "quoted" word', "one, two", "first\nsecond", "  kept  ", "naïve 猫 🎈", "last"]
    rows = "".join(
        f'{"xy"[number % 2]},"{text.replace(chr(34), chr(34) * 2)}"\r\n' for number, text in enumerate(texts)
    )
    content = ("\ufefflabel,text\r\n" + rows).encode()
    result = ingested({"train.csv": content, "test.csv": b"label,text\nx,one\ny,two\n"})
    assert result.texts("train") == texts
    assert result.labels("train") == ["x", "y", "x", "y", "x", "y", "x"]
    assert result.texts("test") == ["one", "two"]
    manifest = result.ingested.manifest
    assert (manifest["kind"], manifest["shape"], manifest["dtype"]) == ("text", [], "utf8")
    assert manifest["lengths"] == [3, 15]
    assert result.findings["lengths"] == {"min": 3, "median": 8, "max": 15}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(separator: str) -> None:
    content = table().replace(b",", separator.encode())
    result = ingested({"a.csv": content})
    assert len(result.texts("train")) == 24
    assert any(repr(separator) in note for note in result.findings["notes"])


def test_json_lines() -> None:
    rows = [
        {"y": label, "message": f"text {label} {number}", "id": [1]} for number in range(5) for label in (True, 7, "c")
    ]
    lines = [json.dumps(row) for row in rows]
    result = ingested({"a.jsonl": "\r\n".join(lines).encode()})
    assert result.classes == ["7", "c", "true"]
    assert set(result.texts("train") + result.texts("test")) == {row["message"] for row in rows}
    bad = ["{", "[]", '{"y": 1}', '{"y": 1, "message": ["x"]}', '{"y": 1, "message": "\\ud800"}', "[" * 100_000]
    files = {"a.jsonl": "\n".join(lines * 5 + bad).encode()}
    found = ingested(files).findings["skipped"]
    assert [one["row"] for one in found] == [76, 77, 78, 79, 80, 81]
    assert found[3]["reason"] == "there is no column 'message', or it is neither text nor number"
    refused({"a.jsonl": b"[1]\n"}, r"a\.jsonl, row 1 is not a JSON object")
    refused({"a.jsonl": b"{]\n"}, r"a\.jsonl, row 1 is not JSON")
    refused({"a.jsonl": b"\n"}, r"a\.jsonl is empty")


def test_columns_are_found_by_name_or_named() -> None:
    content = b"id,Sentence,note,CLASS\n" + b"".join(b"%d,s%d,n%d,%d\n" % (one, one, one, one % 2) for one in range(10))
    assert ingested({"a.csv": content}).texts("test")[0].startswith("s")
    assert ingested({"a.csv": content}, text="note").texts("test")[0].startswith("n")
    other = content.replace(b"CLASS", b"kind").replace(b"Sentence", b"words")
    refused(
        {"a.csv": other}, r"a\.csv: none of the columns is called label, class, target or y.*Columns: id, words, note"
    )
    refused({"a.csv": other}, "not plain which column is the text", label="kind")
    refused({"a.csv": other}, r"a\.csv has no column 'nope'. Columns: id, words", label="kind", text="nope")
    assert ingested({"a.csv": other}, label="kind", text="words").classes == ["0", "1"]
    only = b"topic,words\n" + b"".join(b"%d,w%d\n" % (one % 2, one) for one in range(10))
    assert ingested({"a.csv": only}, label="topic").texts("test")[0].startswith("w")
    refused({"a.csv": b"label\nx\ny\n"}, r"a\.csv has only one column")


def test_labels_may_be_of_any_language_or_numbers() -> None:
    content = "label,text\n" + "".join(
        f"{label},{label}{number}\n" for label in ("体育", "ünïc", "🎈") for number in range(4)
    )
    assert ingested({"a.csv": content.encode()}).classes == ["ünïc", "体育", "🎈"]
    floats = "y,t0,t1\n" + "".join(
        f"{label},{number},2\n" for label in ("1.0", "2.0000e+00", "10") for number in range(4)
    )
    assert ingested({"a.csv": floats.encode()}).classes == ["1", "2", "10"]


def test_rows_that_are_no_texts_are_named() -> None:
    rows = ["a", "a,b,c", "a,  ", ",text", f"{'x' * 129},text", "a\x07,text"]
    found = ingested({"a.csv": table(*rows, count=100)}).findings
    assert [(one["file"], one["row"]) for one in found["skipped"]] == [("a.csv", row) for row in range(102, 108)]
    reasons = [one["reason"] for one in found["skipped"]]
    assert reasons[:4] == [
        "the row has 1 cells, the first has 2",
        "the row has 3 cells, the first has 2",
        "the text is empty",
        "the label is empty",
    ]
    assert "129 characters" in reasons[4] and "\\x07" in reasons[5]
    refused(
        {"a.csv": table(*rows, count=50)}, r"6 of 56 samples cannot be read .* The first: a\.csv, row 52: the row has 1"
    )


def test_rows_are_counted_as_lines_across_quoted_line_ends() -> None:
    content = b'label,text\na,"1\n2\n3"\n\nb,x\n' + b"a,x1\nb,x2\n" * 10 + b"c\n"
    (found,) = ingested({"a.csv": content}).findings["skipped"]
    assert found["row"] == 27


def test_latin_1_is_not_guessed_but_named() -> None:
    one = table("a,caf\u00e9", count=40).replace("é".encode(), b"\xe9")
    (found,) = ingested({"a.csv": one}).findings["skipped"]
    assert found["row"] == 42
    assert found["reason"] == "byte 0xE9 after 3 characters is not UTF-8; save the file as UTF-8"
    all_of_it = b"label,text\n" + "a,café\nb,thé\n".encode("latin-1") * 5
    refused({"a.csv": all_of_it}, r"a\.csv, row 2: byte 0xE9 after 3 characters is not UTF-8")
    refused({"a.csv": table().decode().encode("utf-16")}, r"a\.csv is UTF-16; save it as UTF-8")


def test_quotes_that_are_not_closed_and_huge_cells_are_refused() -> None:
    refused({"a.csv": table('a,"never closed', *["b,more"] * 5)}, r"a\.csv, row 32: .*is a quote not closed\?")
    refused({"a.csv": table('a,"x" y')}, r"a\.csv, row 32: .*check the quotes")
    before = csv.field_size_limit()
    refused({"a.csv": table("a," + "x" * (2**20 + 1))}, r"a\.csv, row 32: .*limit")
    assert csv.field_size_limit() == before
    long = "y" * 1_000_000
    assert long in ingested({"a.csv": table("a," + long)}, test=0.01).texts("train")
    refused({"a.csv": b"label,text\n" + b"x" * (16 * 2**20 + 1)}, r"a\.csv, row 2: the line has more than 16,777,216")


def test_two_columns_of_one_name() -> None:
    refused({"a.csv": table(header="text,text")}, r"a\.csv, row 1: two columns are called 'text'")


def test_series_are_rows_of_numbers() -> None:
    result = ingested({"ECG_train.csv": numbers(), "ECG_test.csv": numbers(count=10)})
    manifest = result.ingested.manifest
    assert (manifest["kind"], manifest["shape"], manifest["dtype"]) == ("series", [3, 1], "float32")
    assert "lengths" not in manifest
    assert result.tensors["train.inputs"].dtype == np.float32
    assert result.tensors["train.inputs"][3, :, 0].tolist() == [3.0, 3.5, np.float32(-1e-3)]
    assert result.tensors["train.targets"].tolist() == [0, 1] * 15
    assert result.findings["duplicates_across_splits"]["count"] == 10


def test_columns_in_another_order_are_put_right_and_others_refused() -> None:
    train, test = numbers(), b"t2,t1,label,t0\n9,8,1,7\n6,5,0,4\n"
    assert ingested({"train.csv": train, "test.csv": test}).tensors["test.inputs"][..., 0].tolist() == [
        [7, 8, 9],
        [4, 5, 6],
    ]
    refused(
        {"train.csv": train, "test.csv": b"label,t0,t1\n1,2,3\n"},
        r"test\.csv lacks the column 't2' that train\.csv has",
    )
    refused({"train.csv": train, "test.csv": b"1,2,3\n"}, "only one of them has a header")


def test_series_without_a_header_have_the_label_first() -> None:
    rows = b"".join(b"%d\t%d\t%d\n" % (one % 3, one, one) for one in range(30))
    result = ingested({"Beef_TRAIN.tsv": rows, "Beef_TEST.tsv": rows[:60]})
    assert result.classes == ["0", "1", "2"]
    assert result.ingested.manifest["shape"] == [2, 1]
    assert any(note.endswith("no header") for note in result.findings["notes"])
    refused({"a.csv": b"1,2\n3,4\n"}, r"a\.csv has no header", kind="text")
    refused({"a.csv": b"1,2\n3,4\n"}, r"a\.csv has no header, so there is no column 'x'", label="x")


def test_a_column_of_row_numbers_is_not_time() -> None:
    rows = ",label,t0,t1\n" + "".join(f"{one},{one % 2},7,{one}\n" for one in range(20))
    result = ingested({"a.csv": rows.encode()})
    assert result.ingested.manifest["shape"] == [2, 1]
    assert (result.tensors["train.inputs"][:, 0] == 7).all()


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "", " ", "1e39", "abc", "1;2"])
def test_cells_that_are_no_finite_number(cell: str) -> None:
    (found,) = ingested({"a.csv": numbers(f"1,1,{cell},3")}).findings["skipped"]
    assert (found["file"], found["row"]) == ("a.csv", 32)
    assert found["reason"].startswith("column 't1'")


def test_what_cannot_be_told_is_asked() -> None:
    refused(
        {"a.csv": b"label,t0,words\n" + b"1,2,x\n2,3,y\n" * 5},
        "not plain which column is the text; name it by the option",
    )
    both = {"a.csv": table(), "b.ts": b"@data\n1:a\n"}
    refused(both, r"several kinds of containers \(tables, ts; files: 1 with \.csv, 1 with \.ts\).*option kind")
    assert ingested(both, kind="text").findings["ignored_files"] == ["b.ts"]
    refused({"a.mid": b"MThd"}, r"nothing that is read in the upload \(files: 1 with \.mid\)")
    refused({"a.csv": table()}, "no image samples in the upload.*the option kind may be wrong", kind="image")
    refused({"a.csv": table()}, r"30 of 30 samples.*column 'text': 'text 0' is not a number", kind="series")


def test_a_file_per_class_with_a_sample_per_line() -> None:
    files = {
        "names/Arabic.txt": "\ufeffKhoury\r\nNahas\r\n\r\n  Daher \r\nBa\r\n".encode(),
        "names/Czech.txt": "Ábel\nČapek\nDvořák\n".encode(),
        "names/README.txt": b"about",
    }
    for upload in (files, {"names.zip": packed_zip(files)}):
        result = ingested(upload)
        assert result.classes == ["Arabic", "Czech"]
        assert sorted(result.texts("train") + result.texts("test")) == sorted(
            ["Khoury", "Nahas", "Daher", "Ba", "Ábel", "Čapek", "Dvořák"]
        )
        assert any("a sample per line" in note for note in result.findings["notes"])
        assert result.findings["ignored_files"] == ["names/README.txt"]
    refused({"input.txt": b"to be\nor not to be\n"}, r"input\.txt alone is no set of classes", kind="text")
    splits = {"A_TRAIN.txt": b"1 2\n", "A_TEST.txt": b"1 2\n"}
    refused(splits, r"A_TEST\.txt is named for a split, not for a class", kind="text")
    split = {f"{split}/{name}.txt": b"one\ntwo\nthree\n" for split in ("train", "test") for name in "ab"}
    assert ingested({"a.zip": packed_zip(split)}).ingested.splits == {"train": 6, "test": 6}


def test_a_text_file_per_sample() -> None:
    files = {
        f"{label}/{number}.txt": f"{label} {number}\nmore\n".encode() for label in ("neg", "pos") for number in range(9)
    }
    bad = {"pos/latin.txt": b"caf\xe9"}
    result = ingested({"a.zip": packed_zip({**files, **bad})})
    assert result.classes == ["neg", "pos"]
    assert "neg 0\nmore" in result.texts("train") + result.texts("test")
    assert result.findings["skipped"][0] == {
        "file": "pos/latin.txt",
        "reason": "byte 0xE9 after 3 characters is not UTF-8; save the file as UTF-8",
    }
    named = {f"{label}_{number}.txt": b"text %d" % number for label in "ab" for number in range(4)}
    assert ingested(named, pattern="{label}_{rest}").classes == ["a", "b"]
    refused({**files, "pos/a.txt": b" \n", "pos/b.txt": b"\0" * 0}, r"2 of 20 samples.*pos/a\.txt: the text is empty")


def test_only_held_out_files_are_the_whole_set() -> None:
    assert ingested({"test.csv": table()}).ingested.splits == {"train": 24, "test": 6}
    refused({"test.csv": table(), "valid.csv": table()}, "bring test and validation samples, but none to train on")
    result = ingested({"data.csv": table(), "test.csv": table(count=4)})
    assert result.ingested.splits == {"train": 30, "test": 4}
    assert result.findings["duplicates_across_splits"]["examples"][0] == {
        "train": "data.csv, row 2",
        "test": "test.csv, row 2",
    }

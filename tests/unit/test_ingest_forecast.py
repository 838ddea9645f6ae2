"""Tables of forecasts: found by their column of moments, kept in the order of time, holes filled only when asked."""

from pathlib import Path

import numpy as np
import pytest
from ingesting import ingested

from core.ingest import Refused

DATA = Path(__file__).parents[3] / "shared" / "data"


def table(*rows: str, head: str = "date,load,heat") -> dict[str, bytes]:
    return {"a.csv": "\n".join([head, *rows, ""]).encode()}


def hours(*cells: str, count: int = 20) -> dict[str, bytes]:
    """Rows of an hour each; ``cells`` take the place of the load in the last rows."""
    rows = [f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00,{hour},{hour / 2}" for hour in range(count)]
    for index, cell in enumerate(cells, count - len(cells)):
        moment, _, heat = rows[index].split(",")
        rows[index] = f"{moment},{cell},{heat}"
    return table(*rows)


def refused(files: dict[str, bytes], match: str, **options: object) -> None:
    with pytest.raises(Refused, match=match):
        ingested(files, **options)  # type: ignore[arg-type]


@pytest.mark.sets
@pytest.mark.parametrize(
    ("file", "splits", "shape", "target", "step"),
    [
        ("ett/ETTh1.csv", {"train": 13_936, "test": 3_484}, [17_420, 7], "OT", 3600.0),
        ("airline-passengers/airline-passengers.csv", {"train": 115, "test": 29}, [144, 1], "Passengers", 31 * 86400.0),
    ],
)
def test_real_tables_are_forecasts_as_they_lie_there(
    file: str, splits: dict[str, int], shape: list[int], target: str, step: float
) -> None:
    path = DATA / file
    if not path.is_file():
        pytest.skip(f"{path.name} is not in {DATA}")
    result = ingested({path.name: path.read_bytes()})
    manifest = result.ingested.manifest
    assert (manifest["kind"], manifest["task"], manifest["targets"]) == ("series", "forecast", [target])
    assert result.ingested.splits == splits and manifest["shape"] == shape
    assert result.findings["time"]["step"] == step and result.findings["time"]["not_read"] == 0
    stored = np.concatenate([result.tensors["train.rows"], result.tensors["test.rows"]])
    whole = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, shape[1] + 1), dtype=np.float64, ndmin=2)
    assert np.array_equal(stored, whole.astype(np.float32))


def test_columns_are_kept_in_order_and_the_targets_are_those_named() -> None:
    result = ingested(hours(), target="load", test=0.25)
    assert result.ingested.manifest["columns"] == ["load", "heat"]
    assert result.ingested.manifest["targets"] == ["load"]
    assert result.tensors["train.rows"].shape == (15, 2)
    assert result.tensors["test.rows"][0].tolist() == [15.0, 7.5]
    assert result.findings["columns"]["train"]["load"]["max"] == 14
    assert ingested(hours(), target="heat, load").ingested.manifest["targets"] == ["load", "heat"]


def test_a_table_without_moments_is_a_forecast_only_when_asked() -> None:
    rows = [f"{number},{number % 3}" for number in range(12)]
    files = table(*rows, head="load,heat")
    refused(files, "none of the columns is called label")
    assert ingested(files, task="forecast").ingested.manifest["columns"] == ["load", "heat"]


def test_a_year_that_is_a_number_is_a_moment_by_its_name() -> None:
    rows = [f"{1990 + number},{number}" for number in range(12)]
    result = ingested(table(*rows, head="year,load"))
    assert result.ingested.manifest["columns"] == ["load"]
    assert result.findings["time"] == {
        "column": "year",
        "first": "1990",
        "last": "2001",
        "step": 1.0,
        "other_steps": 0,
        "not_read": 0,
    }


@pytest.mark.parametrize(
    ("missing", "filled"),
    [("previous", [16, 16, 16, 19]), ("interpolate", [16, 17, 18, 19]), ("zero", [16, 0, 0, 19])],
)
def test_holes_are_filled_as_asked(missing: str, filled: list[float]) -> None:
    result = ingested(hours("", "NaN", "19"), missing=missing)
    rows = np.concatenate([result.tensors["train.rows"], result.tensors["test.rows"]])
    assert rows[-4:, 0].tolist() == filled
    assert f"column 'load': 2 missing values were filled ({missing})" in result.findings["notes"]


def test_what_is_no_series_in_time_is_refused_with_its_place() -> None:
    refused(hours("", "19"), r"a\.csv, row 20: column 'load' is empty; fill it, or give the option missing")
    refused(hours("often", "19"), r"a\.csv, row 20: column 'load': 'often' is not a number", task="forecast")
    refused(hours("1e39", "19"), r"a\.csv, row 20: column 'load': 1e39 is not finite, or too large", missing="zero")
    refused(hours("1,2", "19"), r"a\.csv, row 20: the row has 4 cells, the header has 3")
    refused(table(*["2024-01-02,1,1", "2024-01-01,2,2"] * 8), r"row 3: '2024-01-01' is not later than '2024-01-02'")
    refused(table(*["2024-01-02,1,1"] * 8), "each moment once")
    refused(hours(count=9), "has 9 rows; a forecast needs at least 10")
    refused(hours(), "no column of numbers 'cold' to foretell; there are load, heat", target="cold")
    refused({**hours(), "b.csv": b"date,x\n"}, "one CSV or TSV file", task="forecast")
    first = table("2024-01-01,,1", *(f"2024-02-{day:02d},1,1" for day in range(1, 20)))
    refused(first, "begins without a number", missing="previous")
    assert ingested(first, missing="zero").tensors["train.rows"][0, 0] == 0


def test_labels_make_it_no_forecast() -> None:
    rows = [f"2024-01-{day:02d},{day % 2},{day}" for day in range(1, 21)]
    with pytest.raises(Refused):  # a moment is no number of a series of classes
        ingested(table(*rows, head="date,label,load"), kind="series")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (b"gr\xf6\xdfe", r"a\.csv, row 1, the name of a column: byte 0xF6 after 2 characters is not UTF-8"),
        (b"lo\x00ad", r"a\.csv, row 1, the name of a column: it lo\\x00ad has characters that cannot be shown"),
        (b"x" * 129, r"a\.csv, row 1, the name of a column: it has 129 characters"),
    ],
)
def test_a_column_that_cannot_be_named_is_refused(name: bytes, match: str) -> None:
    whole = hours()["a.csv"]
    refused({"a.csv": whole.replace(b"heat", name)}, match)
    refused({"a.csv": whole.replace(b"date", name)}, match)
    unnamed = whole.replace(b"date", b"")  # as pandas writes an index
    assert ingested({"a.csv": unnamed}).ingested.manifest["columns"] == ["load", "heat"]


def test_a_table_has_to_fit_into_memory() -> None:
    assert ingested(hours(), memory=160).ingested.splits == {"train": 16, "test": 4}
    refused(hours(), r"the rows of a\.csv take more than 159 bytes, .* in memory; leave columns", memory=159)

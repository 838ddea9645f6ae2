"""Labels that are numbers, in every container that has labels."""

import numpy as np
import pytest
from ingesting import folders, images, ingested, npz, ts

from core.ingest import Refused
from core.specs import IngestOptions

ROWS = "".join(f"{number / 4},{number},{number + 1}\n" for number in range(20))


def test_a_table_has_its_numbers_in_the_label_column() -> None:
    result = ingested({"a.csv": b"price,a,b\n" + ROWS.encode()}, task="regression", label="price")
    manifest = result.ingested.manifest
    assert (manifest["task"], manifest["classes"], manifest["targets"]) == ("regression", [], ["price"])
    assert result.ingested.splits == {"train": 16, "test": 4}
    targets = result.tensors["train.targets"]
    assert targets.dtype == np.float32 and targets.shape == (16, 1)
    assert (targets[:, 0] * 4 == result.tensors["train.inputs"][:, 0, 0]).all()
    everything = [*result.tensors["train.targets"][:, 0], *result.tensors["test.targets"][:, 0]]
    assert sorted(everything) == [number / 4 for number in range(20)]
    assert result.findings["targets"]["train"]["price"].keys() >= {"min", "mean", "max", "q50"}
    other = ingested({"a.csv": b"price,a,b\n" + ROWS.encode()}, task="regression", label="price", seed=1)
    assert other.file != result.file


def test_other_containers_have_them_too() -> None:
    pictures = ingested(folders(8, ["0.5", "-2", "1e3"]), task="regression")
    assert set(pictures.tensors["train.targets"].ravel()) == {0.5, -2, 1000}
    assert pictures.ingested.manifest["targets"] == ["target"]
    values = np.linspace(0, 1, 30, dtype=np.float32)
    arrays = ingested({"a.npz": npz(x=images(30, 4, 4), y=values)}, task="regression", test=0.1)
    assert np.isin(arrays.tensors["train.targets"].ravel(), values).all()
    texts = b"label,text\n" + b"".join(b"%d.5,word %d\n" % (number, number) for number in range(20))
    assert ingested({"a.csv": texts}, task="regression").tensors["test.targets"].dtype == np.float32
    series = ts(*(f"{n},1:{n},2:{n}.25" for n in range(10)), head="@dimensions 2\n@targetLabel true\n")
    assert ingested({"a.ts": series}, task="regression").tensors["train.targets"][0, 0] % 1 == 0.25


@pytest.mark.parametrize(
    ("label", "match"),
    [
        ("dear", r"a\.csv, row 4: the label: 'dear' is not a number"),
        ("nan", r"a\.csv, row 4: the label: nan is not finite"),
        ("1e39", r"a\.csv, row 4: the label: 1e39 is not finite, or too large"),
    ],
)
def test_a_label_that_is_no_number_is_refused_with_its_place(label: str, match: str) -> None:
    with pytest.raises(Refused, match=match):
        ingested({"a.csv": f"label,a,b\n1,1,1\n2,1,1\n{label},1,1\n3,1,1\n".encode()}, task="regression")


def test_not_a_number_in_an_array_is_refused_with_its_place() -> None:
    values = np.array([1, 2, np.nan, 4, 5], np.float32)
    with pytest.raises(Refused, match=r"a\.npz/x, row 3: the label: nan is not finite"):
        ingested({"a.npz": npz(x=images(5, 4, 4), y=values)}, task="regression")


def test_equal_numbers_teach_nothing() -> None:
    with pytest.raises(Refused, match="all samples have the same number, 7"):
        ingested({"a.csv": b"label,a,b\n" + b"7,1,2\n" * 9}, task="regression")


def test_options_that_do_not_fit_the_task_are_refused() -> None:
    for options in ({"task": "regression", "target": "x"}, {"task": "forecast", "kind": "image"}):
        with pytest.raises(ValueError, match="forecast"):
            IngestOptions.model_validate(options)

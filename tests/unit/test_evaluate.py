"""The scores of each class are scikit-learn's, also where classes are missing or probabilities tie."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from models.data.splits import Dataset
from models.evaluate import macro, per_class


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("ties", [False, True])
def test_they_are_scikit_learns(classes: int, ties: bool) -> None:
    random = np.random.default_rng(classes)
    targets = random.permutation(np.arange(500) % classes)
    logits = random.normal(size=(500, classes)) + 1.5 * np.eye(classes)[targets]
    if ties:
        logits = np.round(logits)
    found = per_class(torch.tensor(logits, dtype=torch.float32), torch.tensor(targets))
    said = torch.tensor(logits, dtype=torch.float32).argmax(1).numpy()
    wanted = precision_recall_fscore_support(targets, said, labels=range(classes))
    for name, values in zip(("precision", "recall", "f1", "support"), wanted, strict=True):
        assert [one[name] for one in found] == pytest.approx(values.tolist(), abs=1e-12)
    probabilities = torch.tensor(logits, dtype=torch.float32).double().softmax(1).numpy()
    areas = [roc_auc_score(targets == label, probabilities[:, label]) for label in range(classes)]
    assert [one["auroc"] for one in found] == pytest.approx(areas, abs=1e-12)
    assert macro(found, "f1") == pytest.approx(f1_score(targets, said, average="macro"), abs=1e-12)
    if classes > 2:
        whole = roc_auc_score(targets, probabilities, multi_class="ovr", average="macro")
        assert macro(found, "auroc") == pytest.approx(whole, abs=1e-12)


def test_many_classes_are_measured_like_few() -> None:
    random = np.random.default_rng(0)
    targets = random.permutation(np.arange(1800) % 600)
    logits = torch.tensor(random.normal(size=(1800, 600)) + 3 * np.eye(600)[targets], dtype=torch.float32)
    found = per_class(logits, torch.tensor(targets))
    probabilities = logits.double().softmax(1).numpy()
    for label in (0, 17, 599):
        assert found[label]["auroc"] == pytest.approx(
            roc_auc_score(targets == label, probabilities[:, label]), abs=1e-12
        )


def test_what_is_undefined_is_null_and_left_out_of_the_means() -> None:
    """Class 1 occurs and is never predicted, class 2 is predicted and does not occur, class 3 is neither."""
    logits = torch.tensor([[9.0, 1, 0, 0], [1, 0, 8, 0], [7, 2, 0, 0]])
    targets = torch.tensor([0, 0, 1])
    first, second, third, fourth = per_class(logits, targets)
    assert first == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "auroc": 0.5, "support": 2}
    assert second == {"precision": None, "recall": 0.0, "f1": 0.0, "auroc": 1.0, "support": 1}
    assert third == {"precision": 0.0, "recall": None, "f1": 0.0, "auroc": None, "support": 0}
    assert fourth == {"precision": None, "recall": None, "f1": None, "auroc": None, "support": 0}
    found = [first, second, third, fourth]
    assert macro(found, "f1") == pytest.approx(f1_score([0, 0, 1], [0, 2, 0], average="macro")) == 0.5 / 3
    assert macro(found, "auroc") == 0.75
    assert macro([fourth], "auroc") is None


def test_a_training_reports_them_of_its_test_split(few_digits: Dataset) -> None:
    from core.specs import TrainSpec
    from models.events import Finished
    from models.training import fit

    body = {"network": {"family": "cnn", "stages": [{"channels": 4}]}, "hyperparameters": {"epochs": 3}}
    *_, end = fit(TrainSpec.model_validate(body), few_digits, threads=1)
    assert isinstance(end, Finished)
    assert [one["support"] for one in end.per_class] == np.bincount(few_digits.test.targets, minlength=10).tolist()
    assert [one["support"] for one in end.per_class] == np.sum(end.confusion_matrix, 1).tolist()
    assert end.test["macro_f1"] == macro(end.per_class, "f1")
    assert end.test["auroc"] == macro(end.per_class, "auroc")
    assert 0.5 < (end.test["auroc"] or 0) <= 1

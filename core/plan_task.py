"""What may be asked of a training by its task: the metrics that can be watched, and the options that mean something."""

from core.plan_layers import PlanError, Sample
from core.specs import Hyperparameters, Monitor, Task

METRICS: dict[Task, tuple[Monitor, ...]] = {
    "classification": ("validation_accuracy", "validation_loss"),
    "regression": ("validation_loss", "validation_mae", "validation_rmse"),
    "forecast": ("validation_loss", "validation_mae", "validation_rmse"),
    "language": ("validation_loss", "validation_perplexity"),
}
"""Of each task, what can be monitored; the first unless another is asked for."""
_HIGHER_IS_BETTER = ("validation_accuracy",)
_OPTIONS: dict[str, tuple[Task, ...]] = {
    "class_weights": ("classification",),
    "label_smoothing": ("classification", "language"),
    "loss": ("regression", "forecast"),
}
"""Which tasks an option of the hyperparameters has a meaning for, where not for all."""


def monitor(rules: Hyperparameters, task: Task) -> Monitor:
    """The metric that decides which weights are the best."""
    return rules.monitor if rules.monitor is not None else METRICS[task][0]


def better_if_higher(metric: Monitor) -> bool:
    """Which way a metric gets better."""
    return metric in _HIGHER_IS_BETTER


def check(rules: Hyperparameters, sample: Sample) -> None:
    """PlanError names the field that the task of these samples has no use for, or the data that it cannot do with."""
    task = sample.task
    if task == "classification" and sample.classes < 2:
        raise PlanError("#/dataset", f"a classifier needs at least 2 classes and the data set has {sample.classes}")
    usual = Hyperparameters()
    for option, tasks in _OPTIONS.items():
        if task not in tasks and getattr(rules, option) != getattr(usual, option):
            raise PlanError(f"#/hyperparameters/{option}", f"{option} has no meaning for {task}; leave it out")
    asked = {"monitor": rules.monitor, "target/metric": None if rules.target is None else rules.target.metric}
    for field, metric in asked.items():
        if metric is not None and metric not in METRICS[task]:
            there = ", ".join(METRICS[task])
            raise PlanError(f"#/hyperparameters/{field}", f"a training for {task} has no {metric}; there are {there}")
    weights = rules.class_weights
    if isinstance(weights, list) and len(weights) != sample.classes:
        raise PlanError(
            "#/hyperparameters/class_weights",
            f"give one weight for each of the {sample.classes} classes (there are {len(weights)})",
        )

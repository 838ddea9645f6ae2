"""The job kind ``explain``: what its child process does. It holds torch; the worker resolves it by name."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core import explain, plan
from core.encode import Preprocessing
from core.explain import Game, answer
from core.specs import ExplainOptions, TrainSpec
from models import checkpoint, networks
from models.explain import integrated_gradients, outputs_of
from workers.child import Control, give_way

NICENESS = 10
"""It shares the processors with the trainings, and gives way to them."""
USUAL_POINTS = 64
REPORT_SECONDS = 0.5


def run(task: dict[str, Any], control: Control, report: Callable[..., None]) -> None:
    """Explain one sample, reporting how far it is and at last the same answer as the API gives by itself."""
    give_way(NICENESS)
    torch.set_num_threads(task["threads"])
    preprocessing = Preprocessing.from_dict(task["preprocessing"])
    network = networks.build(
        plan.make(TrainSpec.model_validate(task["spec"]), plan.Sample(**task["plan_sample"]))
    ).eval()
    network.load_state_dict(checkpoint.load_weights(Path(task["weights"])))
    options = ExplainOptions.model_validate(task["options"])
    sample = preprocessing.from_rows(json.loads(Path(task["sample"]).read_text(encoding="utf-8")))

    def said(samples: NDArray[Any]) -> NDArray[np.float64]:
        return answer.numbers(preprocessing, outputs_of(network, preprocessing, samples), samples)

    index = answer.chosen(preprocessing, task["classes"], options.target, said(sample)[0])
    tell = _telling(report, options)
    players = options.divide(preprocessing, sample)
    if options.method == "integrated_gradients":
        points = options.samples or USUAL_POINTS
        found = integrated_gradients(network, preprocessing, sample, players, index, points, tell)
    else:
        game = Game(players, lambda samples: said(samples)[:, index], tell)
        found = explain.explain(options.method, game, options.samples, options.seed)
    result = {
        "object": "explanation",
        "model": task["model"],
        "model_version": task["model_version"],
        "method": options.method,
        "target": answer.names(preprocessing, task["classes"])[index],
        "seed": options.seed,
        **answer.express(preprocessing, sample, players, found),
    }
    report(type="explained", result=result)


def _telling(report: Callable[..., None], options: ExplainOptions) -> Callable[[int], None]:
    """Says now and then how many samples were computed."""
    total = options.samples or (USUAL_POINTS if options.method == "integrated_gradients" else explain.USUAL_SAMPLES)
    last = 0.0

    def tell(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report(type="stage", stage="Explaining", done=done, total=max(done, total))

    return tell

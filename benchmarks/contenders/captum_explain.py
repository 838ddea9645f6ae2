"""What Captum says of a small function; run by :mod:`benchmarks.explain_oracle` in Captum's environment."""

import json
import sys

import captum
import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import FeatureAblation, IntegratedGradients, KernelShap, Lime, ShapleyValues
from captum.attr._core.lime import get_exp_kernel_similarity_function
from torch import Tensor

SAMPLES = 20_000


def main(path: str) -> None:
    """Explain the function whose weights are at ``path``; prints JSON."""
    stored = np.load(path)
    first, second = (torch.from_numpy(stored[name]) for name in ("first", "second"))

    def function(inputs: Tensor) -> Tensor:
        return ((inputs @ first).tanh() @ second).softmax(1)[:, 0]

    whole = torch.ones(1, len(first), dtype=torch.float64)
    empty = torch.zeros_like(whole)
    torch.manual_seed(0)
    near = get_exp_kernel_similarity_function("cosine", kernel_width=0.25)
    lime = Lime(function, interpretable_model=SkLearnLinearRegression(), similarity_func=near)
    found = {
        "lime": lime.attribute(whole, empty, n_samples=SAMPLES, perturbations_per_eval=500),
        "exact_shapley": ShapleyValues(function).attribute(whole, empty),
        "occlusion": FeatureAblation(function).attribute(whole, empty),
        "kernel_shap": KernelShap(function).attribute(whole, empty, n_samples=SAMPLES, perturbations_per_eval=500),
        "integrated_gradients": IntegratedGradients(function).attribute(whole, empty, n_steps=64),
    }
    shown = {name: values[0].tolist() for name, values in found.items()}
    print(json.dumps({**shown, "versions": {"captum": captum.__version__, "torch": torch.__version__}}))


if __name__ == "__main__":
    main(sys.argv[1])

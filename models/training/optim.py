"""Update rules, and their state as named tensors."""

from torch import Tensor, empty_like, nn, optim
from torch.optim import Optimizer

from core import specs


def make(spec: specs.Optimizer, network: nn.Module) -> Optimizer:
    """The optimizer of a spec over all parameters. Fused kernels where PyTorch has them, on every device."""
    parameters, lr, decay = list(network.parameters()), spec.learning_rate, spec.weight_decay
    match spec.name:
        case "gd":
            return optim.SGD(parameters, lr, weight_decay=decay, fused=True)
        case "sgd":
            return optim.SGD(parameters, lr, spec.momentum, weight_decay=decay, nesterov=spec.nesterov, fused=True)
        case "adam" | "adamw":
            rule = optim.Adam if spec.name == "adam" else optim.AdamW
            betas = (spec.betas[0], spec.betas[1])
            return rule(parameters, lr, betas, spec.eps, weight_decay=decay, fused=True)
        case "rmsprop":
            return optim.RMSprop(parameters, lr, eps=spec.eps, weight_decay=decay, momentum=spec.momentum)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Use this learning rate from the next update on; a tensor, which a captured step reads, stays where it is."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's state, e.g. "exp_avg/0.weight": copies on the CPU."""
    return {
        f"{slot}/{name}": value.detach().to("cpu", copy=True).contiguous()
        for name, parameter in network.named_parameters()
        for slot, value in optimizer.state[parameter].items()
        if value is not None
    }


def restore(optimizer: Optimizer, network: nn.Module, saved: dict[str, Tensor]) -> None:
    """Put back what ``tensors`` gave, in each parameter's own memory layout."""
    parameters = dict(network.named_parameters())
    for key, value in saved.items():
        slot, name = key.split("/", 1)
        parameter = parameters[name]
        if value.shape == parameter.shape:
            optimizer.state[parameter][slot] = empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(
                value
            )
        else:  # the step counter
            optimizer.state[parameter][slot] = value.to(parameter.device)

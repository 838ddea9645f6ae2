"""Where batch normalisation cannot be trained: said before, not in an hour."""

from core.plan import Plan


def check(plan: Plan, samples: int, samples_per_step: int, micro_batch: int, devices: int) -> None:
    """ValueError if some batch of ``samples`` is one that a batch normalisation of this plan cannot use."""
    if plan.batch_norms and devices > 1:
        raise ValueError('batch normalisation cannot be trained on several devices; use norm "group", or one device')
    last = samples % samples_per_step or samples_per_step
    if last % micro_batch == 1 and plan.least_batch == 2:
        raise ValueError(
            f"the last batch of an epoch would have a single sample ({samples} to train on), which batch "
            'normalisation of a single place cannot use; change batch_size, or use norm "group"'
        )

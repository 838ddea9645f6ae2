"""What decides the bits of a training beside its spec: threads, libraries and hardware, as results note them."""


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """What is no longer as it was, a clause each, as in ``threads was 1 and is 2``."""
    return [f"{key} was {before.get(key, 'not noted')} and is {now[key]}" for key in now if before.get(key) != now[key]]

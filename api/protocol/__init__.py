"""The Open Inference Protocol (``/v2``) beside ``:predict``: the same versions, batches and limits, in tensors."""

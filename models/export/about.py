"""What an ONNX file says about itself, so that nothing else is needed to ask it."""

import json
from collections.abc import Sequence

from core.encode import Preprocessing


def metadata(preprocessing: Preprocessing, classes: Sequence[str]) -> dict[str, str]:
    """How raw samples become the graph's input, and what its logits stand for, each as JSON.

    ``epochd.preprocessing`` is read back by ``Preprocessing.from_dict``; ``epochd.classes`` are in the logits' order,
    none where numbers are foretold.
    """
    return {
        "epochd.preprocessing": json.dumps(preprocessing.as_dict(), ensure_ascii=False, separators=(",", ":")),
        "epochd.classes": json.dumps(list(classes), ensure_ascii=False, separators=(",", ":")),
    }

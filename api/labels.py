"""The ``metadata[key]=value`` filters of a query string."""

import re
from typing import Annotated

from fastapi import Depends, Request

from core.errors import Invalid
from core.specs import METADATA_KEY

MOST = 16
_FORM = re.compile(rf"metadata\[({METADATA_KEY[1:-1]})\]")


async def _labels(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.partition("[")[0] != "metadata":
            continue
        match = _FORM.fullmatch(name)
        if match is None or "\0" in value or len(value) > 512:
            raise Invalid("write metadata[key]=value; a key has at most 64 characters, a value 512", "#/query/metadata")
        found[match[1]] = value
    if len(found) > MOST:
        raise Invalid(f"at most {MOST} metadata filters can be combined", "#/query/metadata")
    return found


Labels = Annotated[dict[str, str], Depends(_labels)]
"""Only things whose metadata hold these pairs."""

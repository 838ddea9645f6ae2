"""The documentation page in a real Chromium: its policy lets its own style through, and it asks nobody else."""

from typing import Any

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("width", [1280, 400])
def test_the_documentation_is_styled_and_needs_no_other_host(visit: Any, width: int) -> None:
    page = visit.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/docs")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Epochd")
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "960px"
    page.get_by_role("link", name="GET /v1/jobs", exact=True).click()
    expect(page.get_by_role("heading", name="GET /v1/jobs", exact=True)).to_be_in_viewport()

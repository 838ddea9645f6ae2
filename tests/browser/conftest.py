"""A real Chromium, and a page that notices everything a careful visitor would complain about."""

import shutil
import tempfile
from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect
from stack import PATIENCE, Stack, used

DIST = Path(__file__).parents[2] / "api" / "dashboard" / "dist"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The machine's own Chromium; skips by name where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs chromium")
    if not (DIST / "index.html").is_file():
        pytest.skip("needs the built dashboard: make dashboard")
    return {"executable_path": found, "args": QUIET}


@pytest.fixture(scope="session")
def system(short_folder: Path) -> Iterator[Stack]:
    """One for all of them: the browser knows a single address."""
    yield from used(Path(tempfile.mkdtemp(dir=short_folder)))


@pytest.fixture(scope="session")
def base_url(system: Any) -> str:
    """Where the dashboard is; in place of the plugin's own fixture, whose form pytest has deprecated."""
    url: str = system.url
    return url


class Visit:
    """A page of the dashboard and what went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        self.expected: list[str] = []
        """Parts of console errors that a test provokes on purpose (Chromium reports each refused request)."""
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and f"{address.scheme}://{address.netloc}" != self.url:
            self.wrong.append(f"off-host: {request.url}")

    def to(self, place: str) -> Page:
        """Open a room by its hash route."""
        self.page.goto(f"/#/{place}")
        return self.page

    def check(self) -> None:
        """Nothing went wrong but what was expected, and no page is wider than its window."""
        assert [line for line in self.wrong if not any(part in line for part in self.expected)] == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def visit(context: BrowserContext, base_url: str) -> Iterator[Visit]:
    """The dashboard of the running system; what went wrong fails the test when it ends."""
    context.set_default_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    made = Visit(context.new_page(), base_url)
    yield made
    made.check()


@pytest.fixture(scope="session")
def drawings() -> dict[str, list[list[tuple[float, float]]]]:
    """Ten digits as people draw them: polylines in a unit square, x to the right, y down."""

    def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[tuple[float, float]]:
        """Part of an ellipse around (x, y); angles in turns, 0 at the right, growing clockwise on the screen."""
        angles = [2 * pi * (start + (end - start) * index / 14) for index in range(15)]
        return [(x + width * cos(angle), y + height * sin(angle)) for angle in angles]

    return {
        "0": [arc(0.5, 0.5, 0.21, 0.34, -0.25, 0.76)],
        "1": [[(0.38, 0.3), (0.53, 0.16), (0.53, 0.84)]],
        "2": [[*arc(0.5, 0.34, 0.2, 0.18, -0.5, 0.08), (0.3, 0.82), (0.73, 0.82)]],
        "3": [[*arc(0.47, 0.32, 0.2, 0.17, -0.45, 0.22), *arc(0.47, 0.66, 0.22, 0.18, -0.22, 0.42)]],
        "4": [[(0.55, 0.15), (0.28, 0.6), (0.76, 0.6)], [(0.6, 0.4), (0.58, 0.86)]],
        "5": [[(0.7, 0.17), (0.36, 0.17), (0.34, 0.46), *arc(0.48, 0.62, 0.21, 0.2, -0.3, 0.4)]],
        "6": [[(0.6, 0.15), (0.42, 0.35), *arc(0.5, 0.64, 0.19, 0.19, -0.5, 0.5)]],
        "7": [[(0.28, 0.18), (0.71, 0.18), (0.45, 0.85)], [(0.36, 0.52), (0.68, 0.5)]],
        "8": [[*arc(0.5, 0.33, 0.16, 0.16, 0.2, -0.75), *arc(0.5, 0.66, 0.19, 0.18, -0.25, 0.75)]],
        "9": [[*arc(0.49, 0.35, 0.18, 0.18, 0.0, -1.0), (0.67, 0.35), (0.6, 0.84)]],
    }

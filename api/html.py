"""Plain pages: one look, no script, no file from anywhere else; the style is named in the Content-Security-Policy."""

import base64
import hashlib
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: light-dark(#0b57d0, #8ab4f8); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; } h3, p, td { overflow-wrap: anywhere; } a { color: var(--link); }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: var(--soft); border-radius: 4px; padding: .1em .3em; }
pre { padding: .75rem; overflow-x: auto; }
nav ul { columns: 26rem; padding: 0; list-style: none; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; } th { font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
details { margin: .25rem 0; } summary { cursor: pointer; } .method { font-weight: 700; } .quiet { opacity: .75; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def document(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page; ``body`` is HTML."""
    return HTMLResponse(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">\n'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n",
        status,
        {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )


def element(name: str, content: str, **attributes: Any) -> str:
    """``content`` is HTML, attributes are text (``id_`` means id)."""
    given = "".join(f' {key.rstrip("_")}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{given}>{content}</{name}>"


def text(value: object) -> str:
    """Text as HTML; `code` between backticks."""
    parts = escape(str(value)).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Cells are HTML; nothing when there are no rows."""
    if not rows:
        return ""
    head = "".join(element("th", text(one)) for one in heads)
    lines = "".join(element("tr", "".join(element("td", cell) for cell in row)) for row in rows)
    return element("table", f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody>")

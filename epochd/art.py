"""Small grey images as text."""

from collections.abc import Sequence

SHADES, PLAIN_SHADES = " ░▒▓█", " .+#@"


def draw(rows: Sequence[Sequence[float]], *, plain: bool = False) -> list[str]:
    """One line a row, two characters a pixel (about square); bright pixels are dense. ``plain`` keeps to ASCII."""
    shades = PLAIN_SHADES if plain else SHADES
    brightest = max(max(row) for row in rows) or 1
    return ["".join(shades[round(value / brightest * (len(shades) - 1))] * 2 for value in row) for row in rows]


def side_by_side(blocks: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Blocks of lines next to each other, each as wide as its widest line."""
    widths = [max(map(len, block), default=0) for block in blocks]
    height = max(map(len, blocks), default=0)
    return [
        (" " * gap)
        .join((block[i] if i < len(block) else "").ljust(width) for block, width in zip(blocks, widths, strict=True))
        .rstrip()
        for i in range(height)
    ]

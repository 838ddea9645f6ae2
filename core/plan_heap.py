"""The heap of a process that computes with PyTorch, as far as its size goes.

PyTorch asks the C library for aligned blocks. The library (glibc) looks for a hole that has room for the block wherever
its boundary may fall, cuts the block out and gives the rest back; so a hole that one tensor left never takes another of
the same size, only holes that have grown together do. That is why a step takes more than the tensors that it keeps.
"""

from bisect import bisect_left, insort

Block = tuple[int, int]
"""From where to where, in bytes."""
_SLACK = 128
"""What is asked for beyond the size, for the alignment to 64 bytes and the library's own head."""


class Heap:
    """Grows at its end when no hole is large enough; the smallest that is, is taken. ``top`` is its size in bytes."""

    def __init__(self) -> None:
        self.top = 0
        self._by_size: list[Block] = []
        """Holes as (size, start)."""
        self._starts: dict[int, int] = {}
        """Start -> end of each hole, and the other way round in ``_ends``."""
        self._ends: dict[int, int] = {}

    def take(self, size: int) -> Block:
        """Room for a tensor of so many bytes."""
        place = bisect_left(self._by_size, (size + _SLACK, 0))
        if place < len(self._by_size):
            start = self._by_size[place][1]
            end = self._remove(start)
        else:
            start = self._ends.get(self.top, self.top)  # a hole at the end grows
            if start < self.top:
                self._remove(start)
            end = self.top = start + size + _SLACK
        self._add(start + size, end)
        return start, start + size

    def give_back(self, block: Block) -> None:
        """The tensor is gone; holes beside it become one with it."""
        start, end = block
        if end in self._starts:
            end = self._remove(end)
        if start in self._ends:
            before = self._ends[start]
            self._remove(before)
            start = before
        self._add(start, end)

    def _add(self, start: int, end: int) -> None:
        self._starts[start], self._ends[end] = end, start
        insort(self._by_size, (end - start, start))

    def _remove(self, start: int) -> int:
        end = self._starts.pop(start)
        del self._ends[end]
        del self._by_size[bisect_left(self._by_size, (end - start, start))]
        return end

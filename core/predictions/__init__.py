"""What a model version answers, row by row: as ``:predict`` sends it, and as the file of a whole data set.

Arithmetic and bytes only: no torch, no HTTP and no database.
"""

AT_ONCE = 64
"""Samples of one run of a graph, in ``:predict`` and in jobs alike: the last bits of an answer may depend on it."""

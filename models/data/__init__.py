"""Data sets in memory: splits, and batches on the device."""

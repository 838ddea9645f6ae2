"""Data sets in memory: splits, batches on the device, and their random changes."""

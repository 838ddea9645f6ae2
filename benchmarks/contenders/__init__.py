"""What benchmarks.train compares: one program each, run by the Python of its own environment."""

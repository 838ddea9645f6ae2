"""Side-by-side measurements: ``python -m benchmarks.NAME [--json] [--quick]``. RESULTS.md keeps dated figures."""

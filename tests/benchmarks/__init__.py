"""Figures of docs/benchmarks.md: `uv run nox -s benchmarks [-- NAME …]`. Ratios against a named peer of the same run; no test."""

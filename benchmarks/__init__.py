"""Fogbank measured beside its peers, in one run: `make bench`. The method is in docs/benchmarks.md."""

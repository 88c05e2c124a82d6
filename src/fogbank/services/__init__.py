"""The AWS services, one package each, all of one shape; see `kit.py` and ARCHITECTURE.md."""

"""Fogbank: a serverless platform that runs AWS architectures for real, on one port."""

__version__ = "0.1.0"

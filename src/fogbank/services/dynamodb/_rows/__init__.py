"""Semantics and rows together, below the operations: what the API and the worker both do.

| file | idea |
| --- | --- |
| `catalog.py` | tables by name, remembered between requests |
| `writer.py` | doing a planned write: the item, its index rows, its stream record |
| `reader.py` | a page of a Query or Scan |
| `expiry.py` | when the worker is to look for expired items |
| `statistics.py` | how many items there are |
"""

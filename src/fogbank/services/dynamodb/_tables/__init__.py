"""Tables as the API speaks of them.

| file | idea |
| --- | --- |
| `schemas.py` | keys, attributes and indexes of a request, checked together |
| `creation.py` | CreateTable's request as a definition |
| `changes.py` | UpdateTable's request as a new definition and what the worker has to do for it |
| `description.py` | a definition as TableDescription |
"""

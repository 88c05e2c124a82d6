"""How code may be deployed: code signing configurations, and when a function's runtime is updated.

| file | idea |
| --- | --- |
| `model.py` | the values, and what may be deployed under a configuration |
| `storage.py` | the rows |
"""

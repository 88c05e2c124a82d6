"""On-demand backups: a table as it was, kept until it is deleted.

| file | idea |
| --- | --- |
| `storage.py` | the rows: the definition, and the items under a table id of their own |
| `restoring.py` | the definition of a restored table |
| `description.py` | a backup as the API shows it |
"""

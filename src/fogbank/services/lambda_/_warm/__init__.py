"""What is ready before the events come: snapshots of published versions, and provisioned concurrency.

| file | idea |
| --- | --- |
| `model.py` | the rules: what may be provisioned, how it is divided, how far it has come |
| `storage.py` | its rows |
| `snapshots.py` | takes the snapshots of versions that were published, and says how that went |
| `provisioner.py` | has the environments started, again after a restart |
"""

"""Amazon S3: buckets and objects, versions, multipart uploads, and notifications of what happens to them.

An object's row and its bytes are one thing: a small body is a row of the same transaction, a large one a file that is
written and synced before the row commits. What is read after an answer is what was written before it. Files whose row
never came, or is gone, are removed: at once as a rule, by a sweep after a crash.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations: buckets, their settings, objects, listings, copies, multipart uploads, tags |
| `model.py` | buckets, object versions, pieces, uploads: values; names and their rules |
| `_conditions.py`, `_ranges.py` | conditional requests; which bytes a request is for |
| `_checksums.py`, `_listing.py` | checksums and ETags; listings |
| `_attributes.py`, `_policies.py`, `_cors.py` | what objects and buckets say of themselves, and the rules of it |
| `_pieces.py` | the bytes: rows or files, and streams over them |
| `_writing.py` | what every write does: the version's row, what it replaces, its notifications |
| `_notifications.py` | configurations of notifications, and the events |
| `storage.py` | rows |
| `_lifecycle.py` | lifecycle rules: what becomes of old versions and uploads |
| `worker.py` | removes files that nothing refers to; carries out lifecycle rules |

Not here yet, each refused by name: ACLs other than the owner's, object lock, KMS and customer keys,
website hosting, replication, inventory, analytics, metrics, logging, intelligent tiering, acceleration, requester pays,
S3 Select, restore from archives, access points, directory buckets.
"""

from fogbank.services.s3.api import S3

__all__ = ["S3"]

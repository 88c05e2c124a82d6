"""Storage: transactions with group commit, migrations, wake-ups, leases and blobs.

| file | idea |
| --- | --- |
| `engine.py` | what every engine offers: `Storage`, `Tx`, `Wakeup` |
| `sqlite.py` | the engine on a laptop: one writer, one reader, one sync for many transactions |
| `dialect.py` | one SQL text for SQLite and PostgreSQL |
| `migrations.py` | numbered SQL files, applied once |
| `leases.py` | who does a piece of work, until when |
| `blobs.py` | content-addressed files, synced before they are named |
"""

from fogbank.storage.blobs import BlobNotFoundError, Blobs
from fogbank.storage.engine import NotJoinableError, Row, Storage, StorageError, Tx, Wakeup
from fogbank.storage.leases import Leases
from fogbank.storage.migrations import Migrations
from fogbank.storage.sqlite import SqliteStorage

__all__ = [
    "BlobNotFoundError",
    "Blobs",
    "Leases",
    "Migrations",
    "NotJoinableError",
    "Row",
    "SqliteStorage",
    "Storage",
    "StorageError",
    "Tx",
    "Wakeup",
]

"""The operations, by what they are about; `DynamoDb` (api.py) is all of them together.

| file | idea |
| --- | --- |
| `parts.py` | what the operations share: the storage, the catalog of tables, the writer |
| `tables.py` | CreateTable … DeleteTable, limits |
| `settings.py` | time to live, tags, policies, backups as far as they go |
| `backups.py` | backups, and restoring tables |
| `items.py` | PutItem, GetItem, UpdateItem, DeleteItem |
| `queries.py` | Query, Scan |
| `batches.py` | BatchGetItem, BatchWriteItem |
| `transactions.py` | TransactWriteItems, TransactGetItems |
| `statements.py` | PartiQL: ExecuteStatement, BatchExecuteStatement, ExecuteTransaction |
"""

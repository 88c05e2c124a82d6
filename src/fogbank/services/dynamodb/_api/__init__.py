"""The operations, by what they are about; `DynamoDb` (api.py) is all of them together.

| file | idea |
| --- | --- |
| `parts.py` | what the operations share: the storage, the catalog of tables, the writer |
| `catalog.py` | tables by name, remembered between requests |
| `writer.py` | doing a planned write: the item, its index rows, its stream record |
| `reader.py` | a page of a Query or Scan |
| `tables.py` | CreateTable … DeleteTable, limits |
| `settings.py` | time to live, tags, policies, backups as far as they go |
| `items.py` | PutItem, GetItem, UpdateItem, DeleteItem |
| `queries.py` | Query, Scan |
| `batches.py` | BatchGetItem, BatchWriteItem |
| `transactions.py` | TransactWriteItems, TransactGetItems |
"""

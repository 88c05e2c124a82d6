"""Amazon DynamoDB: tables of items, found by key.

An item is a row of JSON under bytes that sort as its key does, so that a Query is a range of an index. What
secondary indexes have of an item is written in the same transaction as the item; the API's transactions are the
storage's. Expressions are compiled once and kept. Removing expired items, filling new indexes and purging deleted
tables are the worker's, in slices, and go on after a crash.

Read `model.py` for tables and keys, `_values` for what items are made of, `_expressions` for the languages,
`_items` for what requests mean, `_rows` for how rows are written and read, `_api` for the operations, `_streams`
for DynamoDB Streams, a service of its own over the same tables.
"""

from fogbank.services.dynamodb._streams.api import DynamoDbStreams
from fogbank.services.dynamodb.api import DynamoDb

__all__ = ["DynamoDb", "DynamoDbStreams"]

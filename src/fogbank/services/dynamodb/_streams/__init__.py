"""DynamoDB Streams: every change of a table, in order, readable for 24 hours.

| file | idea |
| --- | --- |
| `storage.py` | the rows |
| `records.py` | what is recorded of a change, and how it is shown |
| `iterators.py` | shard iterators: a place in a stream, as a token |
| `api.py` | the service `dynamodbstreams` |

A stream has one shard, open while the stream is. Records are written in the transaction that makes the change.
"""

"""What requests on items mean, before and apart from any row.

| file | idea |
| --- | --- |
| `parameters.py` | rules that hold between parameters: legacy or expressions, values used, ReturnValues |
| `plans.py` | Put, Update, Delete and Check as functions from the item that is there to the item that will be |
| `writes.py` | requests to write, as plans |
| `reads.py` | requests to read: GetItem, Query, Scan |
| `keyranges.py` | key conditions and start keys as ranges of stored keys |
| `capacity.py` | capacity units, and how replies report them |
"""

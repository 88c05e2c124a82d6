"""The operations of SQS by what they are about; `api.py` puts them together.

| file | operations |
| --- | --- |
| `base.py` | what all of them use: stores, waiting lines, queue URLs |
| `queues.py` | queues, their attributes, policies and tags |
| `sending.py` | SendMessage, SendMessageBatch |
| `receiving.py` | ReceiveMessage |
| `settling.py` | deleting messages and changing their visibility |
| `moves.py` | message move tasks |
"""

"""The `fogbank` command: what a person types.

| file | idea |
| --- | --- |
| `app.py` | the root command, its options, and commands that are imported only when they are used |
| `options.py` | where the server is and how to print: what every command is told |
| `failures.py` | what went wrong, where, what to do, and the exit codes |
| `output.py` | tables and lines for people, JSON for programs |
| `connection.py` | boto3 clients of the server, and its errors in words |
| `documents.py` | JSON that a person gives: as text, from a file, from standard input |
| `resolving.py` | names: a function's or queue's own, or its logical id in a stack |
| `stacks.py`, `deploying.py` | stacks: what is there, and changing it |
| `deadletters.py` | dead-letter queues: whose they are, why a message is there, sending it back |
| `<command>.py` | one command each |
"""

from fogbank.cli.app import main

__all__ = ["main"]

"""DynamoDB's expressions: condition, filter, key condition, projection and update.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html

| file | idea |
| --- | --- |
| `tokens.py` | the text as tokens; syntax errors in DynamoDB's words |
| `syntax.py` | the trees |
| `parser.py` | recursive descent from tokens to trees |
| `reserved.py` | words that cannot be attribute names |
| `naming.py` | what a tree refers to: `#names` resolved, functions known, operands counted |
| `placeholders.py` | `ExpressionAttributeNames` and `…Values` of one request, and which of them were used |
| `conditions.py` | a condition as a function of an item |
| `keyconditions.py` | a key condition as comparisons with key attributes |
| `projections.py` | a projection as a function of an item |
| `updates.py` | an update as a list of actions |
| `actions.py` | doing the actions to an item |
| `legacy.py` | the parameters that expressions replaced: Expected, AttributeUpdates, filters, KeyConditions |

An expression is compiled once for each pair of its text and its names, and kept in a bounded cache; values are
given when it runs.
"""

"""PartiQL, the SQL of DynamoDB, in terms of the other operations.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html

| file | idea |
| --- | --- |
| `tokens.py` | the text as tokens |
| `statements.py` | the trees: conditions are those of the expressions, with literals as numbered values |
| `parser.py` | recursive descent from tokens to trees |
| `planning.py` | a statement as a plan to read or write, once its table is known |
"""

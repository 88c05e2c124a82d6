"""Attribute values: what an item is made of, in the form of the API (`{"S": "text"}`).

| file | idea |
| --- | --- |
| `numbers.py` | exact decimals: the form that DynamoDB returns, arithmetic, bytes that sort as the numbers do |
| `attributes.py` | checking, normalising and measuring values and items |
| `comparison.py` | equality, order, membership |
| `keys.py` | bytes that sort as key values do, so that a Query is a range of an index |
| `codec.py` | items as they are stored |

After `attributes.py` a value is canonical: numbers in one form, sets sorted. Equal values are then equal dicts.
"""

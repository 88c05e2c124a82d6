"""The operations of Lambda, one file for each kind of resource; `api.py` puts them together."""

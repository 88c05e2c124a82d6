"""The shop's functions. Loading what they need takes a while, and happens once for each environment."""

import time

from warming import is_cold, kept_warm

time.sleep(0.3)  # in place of the libraries and models that a real one would load


@kept_warm
def catalog(event, context):
    return {"what": "catalog", "cold": is_cold()}


@kept_warm
def search(event, context):
    return {"what": "search", "cold": is_cold()}


@kept_warm
def checkout(event, context):
    time.sleep(0.05)
    return {"what": "checkout", "cold": is_cold()}

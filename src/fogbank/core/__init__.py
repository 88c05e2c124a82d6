"""What every other layer stands on: clock, ids, ARNs, scope, errors, configuration, service models.

It imports nothing of Fogbank's.
"""

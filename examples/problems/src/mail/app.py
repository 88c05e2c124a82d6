"""Thanks the customer, with all the pictures in memory at once."""

import resource

PICTURES = []


def handler(event, context):
    nearly = int(context.memory_limit_in_mb) * 1024 * 94 // 100
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < nearly:
        PICTURES.append(bytearray(1024 * 1024))
    return f"thanks for {event['detail']['orderId']}"

"""The wire: one port that speaks every AWS protocol.

    recognise       which service, operation, account and region a request is for
    authentication  whose it is; signature, presigned URLs, tokens, clock skew
    protocols       from bytes to the members of the operation's input, and back
    gateway         puts these around `cloud.call`
    admin, browser  the server's own paths; pages in browsers

Everything that a protocol does is compiled from the service models, once for each operation.
"""

from fogbank.gateway.admin import Admin
from fogbank.gateway.gateway import Gateway

__all__ = ["Admin", "Gateway"]

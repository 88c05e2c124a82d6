"""Systems Manager: Parameter Store, with its names, paths, versions, labels, tiers, tags and filters.

A SecureString is stored as it is given: there is no KMS yet that could encrypt it, so whoever can read the
data folder can read it. Over the wire it is told only to requests with decryption; others see an opaque text.
Public parameters (`/aws/service/…`) do not exist here and are not found. Left out, and saying so by name:
parameter policies, data types other than text, keys other than the default one, and all of Systems Manager
beside parameters.
"""

from fogbank.services.ssm.api import Ssm

__all__ = ["Ssm"]

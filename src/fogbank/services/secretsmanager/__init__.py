"""AWS Secrets Manager: secrets, their versions with staging labels, deletion with a way back, rotation by a function.

| file | idea |
| --- | --- |
| `api.py`, `_api/` | the operations: secrets, values, policies, rotation |
| `model.py` | secrets, versions, how labels move |
| `_sealing.py` | values are encrypted where they are stored |
| `_rules.py`, `_route.py`, `worker.py` | when a secret is rotated, by which steps; recovery windows |
| `_filters.py`, `_passwords.py`, `_policies.py` | listings, random passwords, resource policies |
| `storage.py`, `errors.py` | rows; errors |

What differs from AWS, on purpose: answers are consistent at once, so the name of a secret that was deleted by force can
be used again at once; resource policies are kept and answered, not enforced; a rotation begins when its window opens.
Left out, and saying so by name: KMS keys other than the default one, replication to other regions and accounts, secrets
managed by others, named policies, rotation tokens.
"""

from fogbank.services.secretsmanager.api import SecretsManager

__all__ = ["SecretsManager"]
"""The service's class, by which the registry knows it."""

"""The operations of Secrets Manager, by what they are about."""

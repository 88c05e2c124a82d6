"""The operations of S3, by what they are about."""

"""The operations of CloudWatch, by what they are about."""

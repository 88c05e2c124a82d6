"""Message move tasks: taking what is in a dead-letter queue back to where it came from, or to another queue."""

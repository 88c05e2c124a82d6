"""What only FIFO queues have: message groups that are received from in order, deduplication, repeatable receives."""

"""The operations, by idea: stacks, change sets, what is asked about them."""

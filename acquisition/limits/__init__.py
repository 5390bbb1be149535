"""What a batch must keep to, and what is on offer."""

"""Lab adapters: how a batch reaches a lab and how results come back."""

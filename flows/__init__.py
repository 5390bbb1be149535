"""Flows: Prefect lives here and nowhere else. Empty until the loop runs itself on a schedule."""

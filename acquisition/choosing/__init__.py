"""Chooses a batch among the best, one candidate after the other, and says why."""

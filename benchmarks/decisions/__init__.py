"""What `benchmarks/decision_quality.py` is made of: how well strategies decide on screens."""

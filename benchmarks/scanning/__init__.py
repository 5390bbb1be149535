"""What `benchmarks/scan.py` measures."""

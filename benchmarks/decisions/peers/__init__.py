"""Other people's ways to choose wells, behind the protocol of `benchmarks.decisions.peer`."""

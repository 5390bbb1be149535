"""What each port means, in a form that runs: subclass a suite and fill in its fixtures."""

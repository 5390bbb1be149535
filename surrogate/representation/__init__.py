"""URs made fit for learning: views joined, gaps filled, columns rotated and shortened."""

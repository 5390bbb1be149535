"""What a surrogate believes of candidates: one by one, in tiles, and in joint draws."""

"""The acquisitions by name, and what each of them alone is made of."""

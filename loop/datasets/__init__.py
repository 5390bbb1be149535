"""Public screens: where they are, whose they are, and how to fetch one whole or not at all."""

from loop.datasets.download import download, fetch
from loop.datasets.registry import Dataset, named, registry

__all__ = ["Dataset", "download", "fetch", "named", "registry"]

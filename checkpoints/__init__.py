"""Weights on disk: what a folder may hold, its digest, the manifest of all models, and where they come from."""

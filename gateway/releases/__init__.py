"""Releases of model versions: which job uses which version, and when a new version takes over or goes back."""

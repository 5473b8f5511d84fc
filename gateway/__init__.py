"""The public API, the durable workflow, artifacts, model routing and packaging."""

"""The Python SDK, the `spark` command and the local ensemble."""

"""The six stages: each an async function `run(work)` from artifacts to artifacts, in a file of its own name."""

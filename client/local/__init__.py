"""The ensemble on one machine: tritonserver, VLM, refinement and gateway as local processes."""

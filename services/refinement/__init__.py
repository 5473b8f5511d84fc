"""The refine stage: differentiable kinematics and rendering, the optimiser and its gRPC server."""

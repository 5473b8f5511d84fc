"""What every SPARK gRPC server shares: errors, the interceptor, start-up and shutdown, logging, weight digests."""

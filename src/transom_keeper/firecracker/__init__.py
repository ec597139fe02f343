"""A machine as a Firecracker microVM: what its API is told, over a socket that the root helper hands out."""

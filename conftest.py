"""Settings of the test processes themselves."""

import os

# These processes start engines under user namespaces, by fork; gRPC's own handlers would start threads in the child,
# and a process with threads may not enter a namespace. Must be set before grpc is first imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

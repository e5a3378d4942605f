"""Settings of the test processes themselves."""

import os
import signal

# These processes start engines under user namespaces, by fork; gRPC's own handlers would start threads in the child,
# and a process with threads may not enter a namespace. Must be set before grpc is first imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# A shell that starts its jobs in the background has them ignore Ctrl-C, and what ignores it hands that on: the tests'
# own programs are to hear it, however the tests were started.
signal.signal(signal.SIGINT, signal.default_int_handler)

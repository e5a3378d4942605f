"""The edge in: gRPC services over what the server can do, behind one guard."""

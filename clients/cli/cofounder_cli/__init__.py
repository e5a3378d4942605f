"""The command line of Cofounder: a peer of the browser, over gRPC."""

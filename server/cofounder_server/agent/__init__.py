"""What runs a build: the graph of stages and its hands (sandbox, workspace, repository)."""

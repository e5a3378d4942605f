"""The six nodes of the pipeline, one module for each."""

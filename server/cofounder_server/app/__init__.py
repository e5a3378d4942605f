"""The composition root: what a server and a worker are made of. Nothing is built anywhere else, nor at import."""

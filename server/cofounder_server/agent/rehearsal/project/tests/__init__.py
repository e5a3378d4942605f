"""The tests; run them with `python3 -m unittest`."""

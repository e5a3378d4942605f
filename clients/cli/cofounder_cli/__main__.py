"""Lets `python -m cofounder_cli` do what `cofounder` does."""

from cofounder_cli.main import main

if __name__ == "__main__":
    main()

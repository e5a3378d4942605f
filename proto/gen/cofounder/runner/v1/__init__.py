"""Generated from proto/: never edited, see proto/README.md."""

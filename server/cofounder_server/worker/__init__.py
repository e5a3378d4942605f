"""The worker: claims builds, plays them, and appends what happens to their logs."""

"""What is metered: tokens, prices and limits."""

"""What is paid for, and what it gives."""

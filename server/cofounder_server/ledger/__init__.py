"""The rows of money that usage and billing share."""

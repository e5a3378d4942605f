"""One machine: real Postgres and Valkey out of wheels, with every process of the product, kept running."""

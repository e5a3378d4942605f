"""The test kit: what anybody can hold a deployment's promises against."""

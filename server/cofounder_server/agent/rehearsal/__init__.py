"""A scripted model on loopback: the Messages API as the provider streams it, with words that are known beforehand."""

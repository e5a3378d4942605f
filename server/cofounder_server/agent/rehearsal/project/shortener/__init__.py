"""Short links: a code for each address, and the address for each code."""

from shortener.links import BadAddress, Links, UnknownCode

__all__ = ["BadAddress", "Links", "UnknownCode"]

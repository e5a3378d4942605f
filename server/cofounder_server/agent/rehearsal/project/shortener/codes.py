"""Numbers as short codes: base 62, the most significant digit first."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE = len(ALPHABET)


def encode(number: int) -> str:
    """Return the code of a number that is not negative."""
    if number < 0:
        raise ValueError("only numbers from 0 on have a code")
    digits = []
    while True:
        number, digit = divmod(number, BASE)
        digits.append(ALPHABET[digit])
        if number == 0:
            return "".join(reversed(digits))


def decode(code: str) -> int:
    """Return the number of a code. Raise ValueError if it is none."""
    if not code:
        raise ValueError("a code has at least one character")
    number = 0
    for character in code:
        number = number * BASE + ALPHABET.index(character)
    return number

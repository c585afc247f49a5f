"""Code 39 (ISO/IEC 16388) as bars. Pure."""

# Five bars and the four spaces between them, w for wide, which is three narrow ones.
_PATTERNS = {
    "0": "nnnwwnwnn", "1": "wnnwnnnnw", "2": "nnwwnnnnw", "3": "wnwwnnnnn", "4": "nnnwwnnnw", "5": "wnnwwnnnn", "6": "nnwwwnnnn",
    "7": "nnnwnnwnw", "8": "wnnwnnwnn", "9": "nnwwnnwnn", "A": "wnnnnwnnw", "B": "nnwnnwnnw", "C": "wnwnnwnnn", "D": "nnnnwwnnw",
    "E": "wnnnwwnnn", "F": "nnwnwwnnn", "G": "nnnnnwwnw", "H": "wnnnnwwnn", "I": "nnwnnwwnn", "J": "nnnnwwwnn", "K": "wnnnnnnww",
    "L": "nnwnnnnww", "M": "wnwnnnnwn", "N": "nnnnwnnww", "O": "wnnnwnnwn", "P": "nnwnwnnwn", "Q": "nnnnnnwww", "R": "wnnnnnwwn",
    "S": "nnwnnnwwn", "T": "nnnnwnwwn", "U": "wwnnnnnnw", "V": "nwwnnnnnw", "W": "wwwnnnnnn", "X": "nwnnwnnnw", "Y": "wwnnwnnnn",
    "Z": "nwwnwnnnn", "-": "nwnnnnwnw", ".": "wwnnnnwnn", " ": "nwwnnnwnn", "*": "nwnnwnwnn", "$": "nwnwnwnnn", "/": "nwnwnnnwn",
    "+": "nwnnnwnwn", "%": "nnnwnwnwn",
}  # fmt: skip

ALPHABET = frozenset(_PATTERNS) - {"*"}
"""What a code can say; the star frames it."""


def _character(pattern: str) -> tuple[tuple[int, int], ...]:
    bars, at = [], 0
    for n, element in enumerate(pattern):
        width = 3 if element == "w" else 1
        if n % 2 == 0:
            bars.append((at, width))
        at += width
    return tuple(bars)


_BARS = {character: _character(pattern) for character, pattern in _PATTERNS.items()}
# Three wide elements, six narrow ones, and the narrow gap to the next character.
_PITCH = 16


def bars(text: str) -> list[tuple[int, int]]:
    """Place and width of every bar of `*text*`, in narrow bars from the left. Raises KeyError for what is not in ALPHABET."""
    return [(n * _PITCH + at, width) for n, character in enumerate(f"*{text}*") for at, width in _BARS[character]]

"""Misspelt copies of judged needs: one word in four, by one random edit."""

import random
import re
import string

SHARE, MIN_LETTERS = 0.25, 4


def misspell(text: str, seed: str) -> str:
    """Return `text` with a quarter of its longer words edited once each, at random."""
    chance = random.Random(seed)

    def edit(match: re.Match[str]) -> str:
        word = match[0]
        if chance.random() >= SHARE:
            return word
        place = chance.randrange(len(word))
        letter = chance.choice(string.ascii_lowercase)
        edits = (
            word[:place] + word[place + 1 :],
            word[:place] + letter + word[place:],
            word[:place] + letter + word[place + 1 :],
            word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
        )
        return chance.choice(edits)

    return re.sub(rf"[^\W\d_]{{{MIN_LETTERS},}}", edit, text)

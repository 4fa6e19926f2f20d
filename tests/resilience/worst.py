"""The fifty nastiest needs: long, nested, in every script, with everything at once."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from random import Random

from search.need import MAX_LENGTH

NEEDS = 50


def worst(names: Sequence[str], terms: Sequence[str]) -> list[str]:
    """Return the needs; `names` are of a catalogue's artifacts, `terms` its words.

    The same names and words give the same needs.
    """
    found = [each[:MAX_LENGTH].strip() for each in _made(names, terms)]
    assert len(found) == NEEDS
    return found


def _made(names: Sequence[str], terms: Sequence[str]) -> Iterator[str]:
    chance = Random(50)
    for separator in (" ", ", ", " or ", " and not ", " without "):
        yield separator.join(islice(cycle(terms[:200]), 250))  # the most used words
        yield separator.join(chance.choices(terms, k=250))
    for opening in ("like ", "not ", "instead of "):
        yield f" {opening}".join(chance.choices(names, k=100))
        yield opening * 100 + names[0]
    for name in (names[0], names[-1]):
        yield " ".join([name] * 100)
        yield "".join(name.split()) * 30
    yield " ".join(chance.choices(names, k=300))
    yield " but ".join(f"like {each} free" for each in chance.choices(names, k=60))
    yield (
        "like midjourney but self-hosted, free, open source, MIT or Apache, commercial "
        "use allowed, on device, in the browser, offline, on CPU only, fits in 8 GB, "
        "at most 4B parameters, 128K context, image to text, in German and over 50 "
        "languages, for Java, maintained, by Mistral, under $20 a month, without "
        "cloud, no Python, not Whisper, not from OpenAI, not a diffusion model, "
        "ideally an MCP server"
    )
    yield "not " * 125
    yield "not not " + "free " * 90
    yield "without " + ", ".join(["python", "cloud", "cuda", "gpu", "internet"] * 15)
    yield "$1 " * 160
    yield "at most 4B parameters and " * 20
    yield " ".join(f"{number}B" for number in range(150))
    yield "(" * 250 + "captions" + ")" * 240
    yield '"' * 499 + "a"
    yield "a-b_c.d/e" * 55
    yield "getCustomsInfoForEveryPatch14of224" * 14
    yield "a1" * 250
    yield "x" * 500
    yield " ".join(chr(ord("a") + n % 26) for n in range(250))
    yield "captoins speach recogniton transcrptn " * 13  # words misspelt
    yield " ".join("".join(chance.choices("etaoinshr", k=9)) for _ in range(50))
    yield "\u0301".join("grounded captioning" * 12)
    yield "\u202e" + "gninoitpac dednuorg " * 24
    yield "\U0001f469\u200d\U0001f4bb" * 160 + " a"
    yield "\u00df\u0130\ufb03" * 166
    yield "\u0e01\u0e33\u0e25\u0e31\u0e07" * 99
    yield "\u56fe\u50cf\u63cf\u8ff0" * 120
    yield "\u0627\u0644\u062a\u0639\u0631\u0641 " * 70
    yield "\u1f00\u0345" * 240
    yield "http://example.org/" + "a/" * 230
    yield "SELECT * FROM events WHERE need LIKE '%' -- " * 11
    yield "a* b? c~2 d^3 [a TO z] {x} +y -z \\ AND OR NOT " * 10
    yield "\n".join(["captions"] * 60)

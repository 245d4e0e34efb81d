"""Texts as vectors, so that texts of like meaning lie close together."""

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Protocol


class Embedder(Protocol):
    """Turns a text into a vector of length 1. `name` changes whenever its vectors do: old and new ones cannot be compared."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, text: str) -> list[float]:
        """The vector of a text; the same on every machine and in every process."""
        ...

    def is_hit(self, query: str, text: str, score: float) -> bool:
        """Whether a text of that score has to do with the query at all."""
        ...


class HashedFeatures:
    """Words and their parts, hashed into a fixed number of dimensions. It needs no model, so nothing is downloaded.

    A feature goes to a dimension and a sign by its hash (the "hashing trick", Weinberger et al. 2009): two texts are close when they
    share words, forms of a word ("climb", "climbing", by character n-grams), or, in scripts without spaces, characters and pairs of
    them. It knows no synonyms; an embedder that does goes in its place.
    """

    name = "hashed1"
    dimensions = 512

    def embed(self, text: str) -> list[float]:
        """The vector of a text; the same on every machine and in every process."""
        vector = [0.0] * self.dimensions
        for feature, weight in _weights(text):
            digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
            vector[digest % self.dimensions] += weight if digest >> 63 else -weight
        length = math.sqrt(sum(value * value for value in vector))
        if not length:
            # Features that cancelled out. A vector must have a direction, or Milvus cannot compare it.
            vector[0] = length = 1.0
        return [value / length for value in vector]

    def is_hit(self, query: str, text: str, score: float) -> bool:
        """By its score; below that of chance, by a word that both have: in a long text one word weighs little."""
        return score >= _CHANCE or not _words(query).isdisjoint(_words(text))


_CHANCE = 0.12
"""Texts that have nothing in common score 0.02 to 0.06, by parts of words and by features that share a
dimension; one in fifty more than this."""


def _words(text: str) -> set[str]:
    """What says something by itself: words, and pairs of characters in scripts without spaces."""
    return {feature for feature, weight in _features(text) if weight == _WORD}


# Scripts that are written without spaces: Han, kana, Hangul syllables, Thai.
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")

# Words that say little about what a text is about.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a about after all also am an and any are as at be been before but by can could did do does for from get had has have he "
        "her him his how i if in into is it its just me my no not of on or our she should so some than that the their them then "
        "there these they this to up us was we were what when where which while who why will with would you your",
    )
) | frozenset("的了是我你他她它们在有和就也都不吗呢吧啊很这那什么")
_WORD, _PAIR, _CHARACTER, _PART, _COMMONNESS = 1.0, 1.0, 0.5, 0.35, 0.1


def _weights(text: str) -> Iterator[tuple[str, float]]:
    """Each feature once, weighted by kind and by how often it is there: the tenth time says less than the first."""
    kinds: dict[str, float] = {}
    counts: Counter[str] = Counter()
    for feature, weight in _features(text):
        kinds[feature] = weight
        counts[feature] += 1
    for feature, count in counts.items():
        yield feature, kinds[feature] * (1 + math.log(count))


def _features(text: str) -> Iterator[tuple[str, float]]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    tokens = _TOKEN.findall(plain)
    if not tokens:
        yield f"text:{plain}", _WORD  # only punctuation or emoji
    for token in tokens:
        yield from _unspaced(token) if _IS_UNSPACED.match(token) else _word(token)


def _word(word: str) -> Iterator[tuple[str, float]]:
    if word in _COMMON:
        yield f"word:{word}", _COMMONNESS
        return
    yield f"word:{word}", _WORD
    # Accents are marks of their own here, so that "cafe" finds "café".
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    framed = f"<{bare}>"
    for size in (3, 4, 5):
        for start in range(len(framed) - size + 1):
            yield f"part:{framed[start : start + size]}", _PART


def _unspaced(run: str) -> Iterator[tuple[str, float]]:
    for character in run:
        yield f"char:{character}", _COMMONNESS if character in _COMMON else _CHARACTER
    for start in range(len(run) - 1):
        pair = run[start : start + 2]
        yield f"pair:{pair}", _COMMONNESS if set(pair) <= _COMMON else _PAIR

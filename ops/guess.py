"""The known name that a mistyped one may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """` (did you mean NAME?)` for the option that is most like the word, or the empty string where none is.

    Who mistypes gets the first letter right, or nearly all of them: `local` is not `scale`, and `help` not `shell`.
    """
    first = word.lstrip("-")[:1]
    for close in difflib.get_close_matches(word, list(options), n=3):
        if close.lstrip("-")[:1] == first or difflib.SequenceMatcher(None, word, close).ratio() >= 0.75:
            return f" (did you mean {close}?)"
    return ""

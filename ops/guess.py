"""What somebody may have meant who wrote a name that there is not."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """` (did you mean NAME?)` for the option that is most like the word, or the empty string where none is."""
    close = difflib.get_close_matches(word, list(options), n=1)
    return f" (did you mean {close[0]}?)" if close else ""

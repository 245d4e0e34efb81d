"""Text that people write."""

import re
import unicodedata

from pydantic import AfterValidator

# Default_Ignorable_Code_Point of Unicode, which Python's tables do not have, as far as it is neither Cc nor Cf; and the
# empty Braille pattern.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen (packages/contract/README.md)."""
    return all(_IGNORABLE.match(c) or c.isspace() or unicodedata.category(c) in {"Cc", "Cf", "Zs", "Zl", "Zp"} for c in text)


def _visible(text: str) -> str:
    if is_blank(text):
        raise ValueError("must not be blank")
    return text


Visible = AfterValidator(_visible)
"""Refuses a text of which nothing can be seen: `Annotated[str, Visible]`."""

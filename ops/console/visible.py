"""Text from elsewhere on a terminal: a commit message, a log line or a server's answer must not move its cursor or set its title.

A control character is shown as an escape (`\\x1b`), and so are characters that change the order in which text is read
(Unicode Standard Annex 9; CVE-2021-42574). Colours (SGR sequences) stay: logs have them, and `_write` ends them with the line.
"""

import re

# C0 without tab and line feed, DEL, C1, the line and paragraph separators, the marks, embeddings, overrides and isolates of direction.
_ACTIVE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_FOUND = re.compile(rf"(?P<colour>\x1b\[[0-9;:]*m)|(?P<end>\r(?=\n|\Z))|[{_ACTIVE}]")
RESET = "\x1b[0m"


def visible(text: str) -> str:
    """The text for a terminal: tabs, line ends and colours as they are, everything else that acts as its escape."""
    shown = _FOUND.sub(_shown, text)
    return shown + RESET if "\x1b[" in shown and not shown.endswith(RESET) else shown


def plain(text: str) -> str:
    """One line for a file that people read: no colours either, and line ends are spaces."""
    return re.sub(rf"[{_ACTIVE}]", _escape, " ".join(text.split()))


def _shown(found: re.Match[str]) -> str:
    if found["end"]:  # half of the line end of another system
        return ""
    return found["colour"] or _escape(found)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()

"""Text as the index holds it: cut into words also where its writing does not.

SQLite's tokeniser unicode61 takes a run of letters for one word. Chinese, Japanese and Korean letters are put apart by a character
that separates words and that nothing else holds, so that each is a word, and what is searched for a phrase of them."""

from __future__ import annotations

import re
import unicodedata

_APART = "\x1f"
# Kana, bopomofo, Han with its extensions and iteration marks, Hangul, half-width forms.
_LETTER = (
    "[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u309d-\u30fa\u30fc-\u318f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
_IS_LETTER = re.compile(_LETTER)
_BETWEEN = re.compile(rf"(?<={_LETTER})(?=\w)|(?<=\w)(?={_LETTER})")
_CONTROL = dict.fromkeys([*range(32), *range(127, 160)], " ")


def to_index(text: str) -> str:
    """On one line, composed (NFC), the letters of which each is a word put apart."""
    line = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode()).translate(_CONTROL)
    line = " ".join(line.split())
    return _BETWEEN.sub(_APART, line) if _IS_LETTER.search(line) else line


def from_index(text: str) -> str:
    return text.replace(_APART, "")


def has_word(text: str) -> bool:
    """Whether the tokeniser finds anything in it: a letter, a digit, or a character of private use."""
    return any(category[0] in "LN" or category == "Co" for category in map(unicodedata.category, text))

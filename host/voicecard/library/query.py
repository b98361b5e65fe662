"""What people type into a search, as an expression of SQLite's FTS5 (https://www.sqlite.org/fts5.html, section 3).

    quarterly report                both words, in any order
    "quarterly report"              one after the other
    report*                         words that begin so
    budget AND (anna OR bert) NOT lunch

NOT binds more than AND, AND more than OR. Whatever is no such query is searched for as text: a quotation mark or a parenthesis
without its other half, an operator without its sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from voicecard.library.words import has_word, to_index

MOST_CHARACTERS = 10_000
MOST_TERMS = 100  # of a text that somebody pasted no more is searched for
MOST_NESTED = 8  # FTS5 itself takes some more
_TOKEN = re.compile(r'"(?P<phrase>[^"]*)"|(?P<mark>[()]|(?:AND|OR|NOT)(?![^\s()]))|(?P<word>(?:[^\s()"]|"(?![^"]*"))+)')


class _Token(NamedTuple):
    """A term, or a mark: a parenthesis or an operator."""

    text: str
    is_mark: bool = False
    is_prefix: bool = False

    @property
    def term(self) -> str | None:
        """As FTS5 has it; None if it holds no word."""
        text = to_index(self.text.replace('"', " "))
        return f'"{text}"{" *" if self.is_prefix else ""}' if has_word(text) else None


class _NoQueryError(Exception):
    """The tokens are no well-formed query."""


def expression(text: str) -> str | None:
    """The FTS5 expression, never one that FTS5 refuses; None if there is nothing to search for."""
    tokens = list(_tokens(text[:MOST_CHARACTERS]))[:MOST_TERMS]
    try:
        return _Parser(tokens).whole()
    except _NoQueryError:
        return _joined(" AND ", [token.term for token in tokens])


def phrase(text: str) -> str | None:
    """The expression for the words of a text, one after the other."""
    return _Token(text).term


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        if found["mark"]:
            yield _Token(found["mark"], is_mark=True)
        elif found["word"]:
            yield _Token(found["word"], is_prefix=found["word"].endswith("*"))
        else:
            yield _Token(found["phrase"])


class _Parser:
    """By recursive descent; a part in which there is no word is None, and left out."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nested = 0

    def whole(self) -> str | None:
        found = self._either() if self._tokens else None
        if self._at < len(self._tokens):
            raise _NoQueryError
        return found

    def _either(self) -> str | None:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return _joined(" OR ", parts)

    def _all(self) -> str | None:
        parts = [self._without()]
        while self._take("AND") or self._begins_part():
            parts.append(self._without())
        return _joined(" AND ", parts)

    def _without(self) -> str | None:
        found = self._part()
        unwanted = []
        while self._take("NOT") or self._take("AND", "NOT"):
            unwanted.append(self._part())
        return found and _joined(" NOT ", [found, *unwanted])

    def _part(self) -> str | None:
        if self._take("("):
            self._nested += 1
            found = self._either()
            self._nested -= 1
            if not self._take(")"):
                raise _NoQueryError
            return found and f"({found})"
        if not self._begins_part() or self._nested > MOST_NESTED:
            raise _NoQueryError
        self._at += 1
        return self._tokens[self._at - 1].term

    def _begins_part(self) -> bool:
        if self._at == len(self._tokens):
            return False
        token = self._tokens[self._at]
        return not token.is_mark or token.text == "("

    def _take(self, *marks: str) -> bool:
        """Go on behind these marks, if they come next."""
        ahead = self._tokens[self._at : self._at + len(marks)]
        found = [token.text for token in ahead if token.is_mark] == list(marks)
        self._at += len(marks) * found
        return found


def _joined(operator: str, parts: list[str | None]) -> str | None:
    return operator.join(filter(None, parts)) or None

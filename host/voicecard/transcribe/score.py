"""Word error rate: how far a transcript is from what was said. Counted by `jiwer`."""

from __future__ import annotations

from dataclasses import dataclass

import jiwer

# Case, punctuation and apostrophes do not count; a hyphen or dash separates words as a space does.
_NORMALISE = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[-\u2010-\u2015]": " ", r"[^\w\s]": "", r"\s+": " "}),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


@dataclass(frozen=True, slots=True)
class Score:
    """`rate` is (substitutions + deletions + insertions) / `words`, the words of the reference; it can exceed 1."""

    rate: float
    words: int
    substitutions: int
    deletions: int
    insertions: int


def word_error_rate(reference: str, hypothesis: str) -> Score:
    """Compare what was recognised with what was said. Raises ValueError if nothing was said."""
    counted = jiwer.process_words(reference, hypothesis, _NORMALISE, _NORMALISE)
    words = counted.hits + counted.substitutions + counted.deletions
    if not words:
        raise ValueError("the reference has no words")
    return Score(counted.wer, words, counted.substitutions, counted.deletions, counted.insertions)

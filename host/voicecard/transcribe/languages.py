"""Names of languages, as servers give them, turned into ISO 639-1 codes."""

from __future__ import annotations

# What Whisper says and ISO 639 does not.
_WHISPERS = {"cantonese": "yue", "greek": "el", "mandarin": "zh", "nynorsk": "nn"}


def iso_639_1(name: object) -> str:
    """`en` for `en`, `en-US`, `eng` or `English`; what has no such code as it is, in lower case; empty for nothing."""
    text = str(name or "").strip().lower()
    code = text.split("-")[0].split("_")[0]
    if len(code) == 2 or not text:
        return code
    import iso639

    try:
        return _WHISPERS.get(text) or iso639.Language.match(text.title() if len(text) > 3 else text).part1 or text
    except iso639.LanguageNotFoundError:
        return text

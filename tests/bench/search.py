"""How long people wait for search, the list and the program: 10,000 recordings with 1,000,000 segments; prints one JSON object.

The library's folders are empty but for a page each: search and `ls` look into the index, and at the pages' dates. Words follow Zipf's law:
the first 20 lines of queries.txt are the commonest, made-up words and what the other lines look for the rest. It stays in build/search."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from voicecard.library.archive import Library
from voicecard.library.index import Index
from voicecard.library.page import Page
from voicecard.library.search import Wanted
from voicecard.library.texts import page_stamp
from voicecard.transcript import Segment, Transcript

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "search"
RECORDINGS, SEGMENTS_EACH, WORDS_EACH = 10_000, 100, 12
VOCABULARY = 30_000
BEGUN = datetime(2020, 1, 1, 8, tzinfo=UTC)
STARTS = 5


def queries() -> list[str]:
    return (HERE / "queries.txt").read_text(encoding="utf-8").splitlines()


def vocabulary(random: np.random.Generator) -> list[str]:
    """The commonest first. What queries look for is spread over the first half."""
    common = queries()[:20]
    asked = sorted(
        {word.strip('"()*') for query in queries()[20:] for word in query.split()} - {*common, "AND", "OR", "NOT"}
    )
    letters = np.array(list("abcdefghiklmnoprstuvw"))
    made = ["".join(random.choice(letters, random.integers(4, 10))) for _ in range(VOCABULARY)]
    words = made[: VOCABULARY - len(asked)]
    for at, word in zip(np.geomspace(20, VOCABULARY // 2, len(asked)).astype(int), asked, strict=True):
        words.insert(int(at), word)
    return [*common, *words]


def passages() -> Iterator[list[Segment]]:
    random = np.random.default_rng(7)
    words = np.array(vocabulary(random), dtype=object)
    weights = 1 / np.arange(1, len(words) + 1)
    weights /= weights.sum()
    for _ in range(RECORDINGS):
        drawn = random.choice(words, (SEGMENTS_EACH, WORDS_EACH), p=weights)
        yield [Segment(4.0 * n, 4.0 * n + 3.5, " ".join(line), f"S{n % 3}") for n, line in enumerate(drawn)]


def details(number: int) -> dict[str, object]:
    seconds = ("length_s", "kept_s", "speech_s", "silence_skipped_s", "lost_s", "unknown_s")
    started = (BEGUN + timedelta(hours=5 * number)).isoformat()
    return {
        **{"id": f"bench1-{number}", "card": "bench1", "number": number, "nonce": f"{number:016x}", "boot": 1},
        **{"kind": "recording", "started": started, "started_how": "card clock", "uncertainty_ms": 5},
        **{"received": started, "marks": [], "end_reason": "key", "bytes": 4096, "sha256": "0" * 64},
        **dict.fromkeys(seconds, 400.0),
    }


def made_library() -> Path:
    """By the index's own means, in one transaction."""
    sources = [Path(__file__), HERE / "queries.txt", HERE.parents[1] / "host" / "voicecard" / "library" / "index.py"]
    stamp = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if (FOLDER / "made").exists() and (FOLDER / "made").read_text() == stamp:
        return FOLDER
    shutil.rmtree(FOLDER, ignore_errors=True)
    Library(FOLDER).close()
    with closing(Index(FOLDER / "library.db")) as index, index.transaction():
        for number, segments in enumerate(passages(), start=1):
            folder = FOLDER / "recordings" / "2020" / str(number)
            folder.mkdir(parents=True)
            (folder / "transcript.md").write_text("")
            index.put(f"2020/{number}", details(number))
            transcript = Transcript("x", "y", "en", tuple(segments))
            index.put_texts(
                f"bench1-{number}", Page(tags=("work",) if number % 9 == 0 else ()), transcript, page_stamp(folder)
            )
    (FOLDER / "made").write_text(stamp)
    return FOLDER


def timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def program_ms(*arguments: str) -> float:
    """From the start of the process to its end; the median of some."""
    command = [sys.executable, "-m", "voicecard", *arguments]
    return median(
        timed_ms(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(STARTS)
    )


def measure() -> dict[str, float]:
    folder = made_library()
    with Library(folder) as library:
        library.search(Wanted("warm"))
        took_ms = [timed_ms(lambda query=query: library.search(Wanted(query), 20)) for query in queries()]
        list_ms = median(timed_ms(library.entries) for _ in range(STARTS))
    return {
        "search_median_ms": median(took_ms),
        "search_95th_percentile_ms": quantiles(took_ms, n=20)[-1],
        "search_commonest_words_median_ms": median(took_ms[:20]),
        "list_of_10000_ms": list_ms,
        "list_of_10000_command_ms": program_ms("ls", "--library", str(folder)),
        "search_command_ms": program_ms("search", "report", "--library", str(folder)),
        "program_start_ms": program_ms("--version"),
    }


if __name__ == "__main__":
    print(json.dumps({name: round(value, 1) for name, value in measure().items()}))

"""A recording's page belongs to the person who edits it: what is made again leaves alone, or keeps beside, what they wrote."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voicecard.library.page import Page, Source, one_line, read, rewrite
from voicecard.transcript import Segment, Transcript

DETAILS = {"id": "k3f92b-12", "started": "2026-11-22T05:09:00.000+01:00", "length_s": 2052.3}
SAID = Transcript("pocketsphinx", "en-us", "en", (Segment(0.1, 0.6, "ship it"), Segment(3, 4, "yes", "S1")))
SAID_AGAIN = replace(SAID, backend="other", segments=(Segment(0.1, 0.6, "sheep it", "S1"),))
BEFORE, AFTER, LATER = Source(DETAILS, None), Source(DETAILS, SAID), Source(DETAILS, SAID_AGAIN)
UNTITLED = "Recording k3f92b-12, 2026-11-22 05:09"
FRESH, MADE = rewrite("", BEFORE)[0], rewrite("", AFTER)[0]


def front(page: str) -> dict[str, object]:
    """The front matter as another library reads it."""
    return yaml.safe_load(page.split("---\n")[1])


def again(page: str, source: Source = LATER, **said: object) -> str:
    """The page made again, which must hold all that the old one did."""
    new, lost = rewrite(page, source, lambda page: replace(page, **said))
    assert not lost
    return new


def test_a_new_page_says_what_is_known_and_how_to_go_on() -> None:
    assert FRESH.splitlines()[1:4] == ["title:", "tags: []", "speakers: {}"]
    assert {name: str(value) for name, value in front(FRESH).items() if value} == {
        "id": "k3f92b-12",
        "date": "2026-11-22 05:09:00",
        "duration": "0:34:12",
    }
    assert f"\n# {UNTITLED}\n" in FRESH
    assert "voicecard transcribe k3f92b-12" in FRESH.partition("\n## Transcript\n")[2]
    assert read(FRESH, BEFORE) == Page()


def test_what_was_said_is_written_below_with_the_names_that_people_gave() -> None:
    page = again(FRESH, AFTER, title="Ship: it?", tags=("work", "q3"), speakers={"S1": "Anna"})
    assert page.endswith("\n\n**[0:00]** ship it\n\n**[0:03]** Anna: yes\n")
    assert "No transcript yet" not in page and "\n# Ship: it?\n" in page
    assert front(page)["title"] == "Ship: it?" and front(page)["backend"] == "pocketsphinx"
    assert front(page)["tags"] == ["work", "q3"] and front(page)["speakers"] == {"S1": "Anna"}
    assert "Anna: sheep it" in again(page)


def test_title_tags_and_names_are_read_however_a_person_writes_them() -> None:
    written = 'title: 3.10\ntags: "#work, q3"\nspeakers:\n  S1: Anna  # from sales\n  S2:\n  3: 007\n'
    page = f"---\n{written}---\n# x".replace("\n", "\r\n")
    assert read(page, AFTER) == Page("3.10", ("work", "q3"), {"S1": "Anna", "3": "007"})
    for senseless in ("title: [a]\ntags: 7\nspeakers: Anna\n", "- a\n", "", "# nothing\n"):
        assert read(f"---\n{senseless}---\n", AFTER) == Page()


def test_a_title_may_be_changed_in_the_heading_or_the_front_matter() -> None:
    titled = again(MADE, AFTER, title="Budget")
    in_heading = titled.replace("# Budget", "# Budget, again")
    in_front = titled.replace("title: Budget", "title: Budget, later")
    assert read(in_heading, AFTER).title == front(again(in_heading))["title"] == "Budget, again"
    assert read(in_front, AFTER).title == "Budget, later" and "\n# Budget, later\n" in again(in_front)
    assert read(titled.replace("title: Budget", "title:"), AFTER).title is None
    both, lost = rewrite(in_heading.replace("title: Budget", "title: Budget, later"), AFTER)
    assert read(both, AFTER).title == "Budget, later" and lost, "one of them can be in the new page only"
    assert again(titled.replace("# Budget\n", "")).count("\n# ") == 0, "a heading that a person took away stays away"


def test_notes_other_keys_and_comments_stay() -> None:
    page = MADE.replace("---\n\n#", "cssclasses: [wide]  # for the phone\n# mine\naliases:\n- a\n---\n\nahead\n\n#")
    page = page.replace("\n## Transcript", "* a note\n\n## Decisions\n\nnone\n\n## Transcript")
    new = again(page, title="Budget", tags=("work",), speakers={"S1": "Anna"})
    for kept in (
        "cssclasses: [wide]",
        "# for the phone",
        "\n# mine\n",
        "\n\nahead\n\n",
        "* a note\n\n## Decisions\n\nnone\n",
    ):
        assert kept in new
    assert front(new)["aliases"] == ["a"]
    assert again(new) == new


def test_words_that_a_person_mended_stay_until_there_is_a_new_transcript() -> None:
    mended = MADE.replace("ship it", "skip it")
    page = again(mended, AFTER, title="Budget", speakers={"S1": "Anna"})
    assert "skip it" in page and "**[0:03]** Anna: yes" in page
    assert again(page, AFTER) == page
    new, lost = rewrite(page, LATER)
    assert lost and "skip it" not in new and "Anna: sheep it" in new


@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page.replace("\n## Transcript\n", "\n"),
        lambda page: page.replace("<!--", "<!"),
        lambda page: page.replace("id: k3f92b-12", "id: my own"),
        lambda page: "my own file",
    ],
)
def test_what_cannot_be_carried_over_is_told(spoil) -> None:
    page = spoil(MADE)
    new, lost = rewrite(page, LATER)
    assert lost or all(line in new for line in page.splitlines())
    assert rewrite(new, LATER) == (new, False)


def test_a_page_whose_front_matter_is_gone_gets_another_and_loses_nothing() -> None:
    new, lost = rewrite(MADE.split("---\n")[2].replace("\n\n## T", "\n\nmy note\n\n## T"), LATER)
    assert not lost and front(new)["id"] == "k3f92b-12" and "\nmy note\n" in new and "sheep it" in new


def test_yaml_that_is_broken_is_left_to_its_owner_until_something_must_be_said() -> None:
    broken = again(MADE, AFTER, title="Budget").replace("tags: []", "tags: [")
    assert read(broken, AFTER).title == "Budget", "the heading still tells"
    assert again(broken).startswith(broken.partition("\n---\n")[0])
    new, lost = rewrite(broken, AFTER, lambda page: replace(page, tags=("work",)))
    assert lost and read(new, AFTER) == Page("Budget", ("work",))


def test_an_upgrade_of_the_words_for_a_person_is_no_edit_of_a_person() -> None:
    """A page of which only the text below differs from what was made was edited; with other numbers it is made again."""
    assert rewrite(MADE, AFTER) == (MADE, False)
    assert rewrite(FRESH, AFTER) == (MADE, False)


# --- any page at all

PIECES = [
    "---\n",
    "...\n",
    "\n",
    "\r\n",
    "# ",
    "## Transcript\n",
    "title: ",
    "tags: ",
    "speakers: ",
    "a",
    "[x, y]",
    "{S1: Anna}",
    "S1: Anna\n",
    "  - q\n",
    "- q",
    "#c",
    " # c\n",
    "<!-- M 11111111 22222222 33333333 44444444 -->",
    "Recording k3f92b-12",
    "&a ",
    "*a",
    "!!x ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    ": ",
    "",
    ">\n",
    "\ufeff",
    "�",
    "é",
    "?",
    "0x1f",
    "007\n",
    "2026-11-22",
    "date: 2026-11-22T05:09:00\n",
    "id: me\n",
    "aliases: [z]\n",
    "%",
    "@",
    "\t",
    "~",
    "null",
    "yes",
    "1e999",
    ".nan",
    "<<: *a\n",
    "💬",
    "\x85",
    "\u2028",
    "b: ",
    "*",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80)
PAGES = TEXTS | st.builds(
    lambda at, length, text: MADE[:at] + text + MADE[at + length :],
    st.integers(0, len(MADE)),
    st.integers(0, 30),
    TEXTS,
)
TITLES = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(PAGES, TITLES, st.sampled_from([BEFORE, AFTER, LATER]))
@settings(max_examples=300, deadline=None)
def test_whatever_is_on_a_page_it_can_be_read_and_made_again(text: str, title: str | None, source: Source) -> None:
    before = read(text, source)
    new, _ = rewrite(text, source)
    assert read(new, source) == before
    assert rewrite(new, source) == (new, False)
    wanted = Page(one_line(title), ("x", "y"), {"S1": "Bert"})
    assert read(rewrite(text, source, lambda page: wanted)[0], source) == wanted


KEYS = st.text("abcxyz", min_size=1, max_size=3).filter(lambda key: key not in ("id", "yes"))
SCALARS = st.sampled_from(
    ["a", "'b: c'", '"d\\te"', "7", "1.50", "0o14", "~", "true", "2026-11-22", "|\n  long\n   text", "é"]
)
VALUES = SCALARS | st.lists(SCALARS.filter(lambda v: "\n" not in v), max_size=3).map(lambda v: f"[{', '.join(v)}]")
COMMENTS = st.sampled_from(["", " # why", "\n# own line", "\n\n# after a gap"])
ENTRIES = st.lists(st.tuples(KEYS, VALUES, COMMENTS), max_size=6, unique_by=lambda entry: entry[0])
OWN = st.permutations(["title: Old  # t", "tags:\n- work # w\n- old\n# after", "speakers: {S2: Bert}"])


@given(ENTRIES, OWN, TITLES, st.text("ab\n#* ", max_size=30))
@settings(max_examples=200, deadline=None)
@example([], ["tags: []"], "x", "")
def test_what_a_person_put_on_a_page_is_on_the_next_one(
    entries: list[tuple[str, str, str]], own: list[str], title: str | None, notes: str
) -> None:
    lines = [f"{key}: {value}{comment if chr(10) not in value else ''}\n" for key, value, comment in entries]
    middle = len(lines) // 2
    text = "".join([*lines[:middle], *(f"{line}\n" for line in own), *lines[middle:]])
    page = f"---\n{text}---\n{notes}\n## Transcript\n"
    said = {"title": one_line(title), "tags": ("work", "new"), "speakers": {"S1": "Anna", "S2": "Bo"}}
    new, lost = rewrite(page, AFTER, lambda page: replace(page, **said))
    ours = ("title", "tags", "speakers", "id", "date", "duration", "backend")
    others = {key: value for key, value in front(new).items() if key not in ours}
    assert others == {key: value for key, value in front(page).items() if key not in ours}

    def comments(text: str) -> Counter[str]:
        return Counter(re.findall(r"(?m)(?:^|(?<= ))# .*", text.partition("\n## ")[0].split("---\n")[1]))

    assert lost or comments(new) == comments(page), "a comment that goes with what it was about is told"
    above = new.split("---\n", 2)[2].partition("## Transcript\n")[0]
    if not re.search(r"(?m)^# ", notes):
        assert above == f"{notes}\n"

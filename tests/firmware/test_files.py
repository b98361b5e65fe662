"""The request `files`: every file of the application, as it lies on the card's file system."""

import os
from binascii import hexlify
from hashlib import sha256

from card.link import files

ROOT = os.getcwd() + "/files-test"
CONTENT = {
    "/boot.py": b"boot\n",
    "/main.py": b"",
    "/card/app.mpy": b"M\x06" + b"x" * 1500,
    "/card/link/usb.py": b"y" * 512,
    "/lib/driver.py": b"z" * 513,
    "/data/counters.json": b"not the application's",
}


def make():
    for path in ("", "/card", "/card/link", "/lib", "/data"):
        try:
            os.mkdir(ROOT + path)
        except OSError:
            pass
    for path, content in CONTENT.items():
        with open(ROOT + path, "wb") as file:
            file.write(content)


def all_paths():
    return [path for _, path in files.of_card(ROOT)]


def test_all_files_of_the_application_and_no_others_are_told_in_one_order():
    make()
    paths = all_paths()
    assert paths == ["/boot.py", "/main.py", "/card/app.mpy", "/card/link/usb.py", "/lib/driver.py"], paths
    assert all_paths() == paths
    assert [files.lines(ROOT, first, 2)[0] for first in (0, 4, 5, 9)] == [5] * 4
    told = [line["path"] for first in (0, 2, 4, 6) for line in files.lines(ROOT, first, 2)[1]]
    assert told == paths


def test_size_and_digest_are_those_of_the_whole_file():
    make()
    for path in all_paths():
        content = CONTENT[path]
        told = files.described(ROOT, path)
        assert told == {"path": path, "bytes": len(content), "sha256": hexlify(sha256(content).digest()).decode()}

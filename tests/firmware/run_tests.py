"""Runs inside MicroPython: `run_tests.py FOLDER MODULE` calls each test_ function of a module and prints what became of it."""

import io
import json
import sys


def main(folder, module_name):
    firmware = folder[: folder.rfind("/tests/")] + "/firmware"
    sys.path[:0] = [firmware + "/emulator/modules", firmware, folder]
    __import__("time")  # the stand-ins' imports nest deep: not below those of a test
    module = __import__(module_name)
    for name in dir(module):
        if name.startswith("test_"):
            print("result", json.dumps([name, outcome(getattr(module, name))]))


def outcome(test):
    """What a test raised, as a traceback, or an empty string."""
    try:
        test()
    except Exception as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    return ""


main(sys.argv[1], sys.argv[2])

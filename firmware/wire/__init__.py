"""What card and host agree on: recording format, link frames, messages. Runs on MicroPython and CPython, imports nothing of ours."""

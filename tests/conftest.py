"""What holds for all tests."""

import signal

# Started in the background, the tests would ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

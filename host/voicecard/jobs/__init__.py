"""Jobs that cannot be lost: every stage of every recording, done once, tried again, or waiting for a person.

What there is to do follows from the plain files alone (`stages`); the queue remembers how it went (`queue`), when a failure
is tried again (`retry`), and one worker at a time in a library does it (`worker`).
"""

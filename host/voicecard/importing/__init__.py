"""Files of other recorders become recordings: their bytes are taken in at once, the rest is made of them as a job.

accept.py   a copy of the file, safe in the library, and what the file system knew of it
making.py   its sound, its length and speech, its place in the library
dates.py    when it was recorded
"""

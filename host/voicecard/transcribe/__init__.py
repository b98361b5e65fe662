"""Speech to text. A backend sees audio and returns segments, nothing else; everything around it is here.

Import what you need from its module: `model` and `backend` are light, `pieces` loads NumPy, `score` loads jiwer.
"""

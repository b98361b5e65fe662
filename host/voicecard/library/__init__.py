"""The archive: card files read, kept as plain files, indexed, exported. Knows no device and no transcriber.

Import what you need from its module: `archive` is light, whatever touches samples loads NumPy.
"""

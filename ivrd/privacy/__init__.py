"""What is done to callers' numbers before they are kept: one form, sealed, and a keyed hash.

Here: arithmetic on a number and keys. Not here: files, tables and people; nothing of it is logged.
"""

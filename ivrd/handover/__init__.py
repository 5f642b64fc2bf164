"""Handing cases over to the municipality's case systems, and hearing back what became of them.

Here: the sender (sender.py), one adapter for each kind of destination, and statuses that come back.
Not here: which case goes where (core/case_messages.py), and the rows (db/case_messages.py).
"""

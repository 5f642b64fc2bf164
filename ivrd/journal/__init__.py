"""ivrd's own journal: facts on the local disk until the database holds them.

Not Asterisk's queue_log, which core/journal.py and queue_log.py call a journal too.
"""

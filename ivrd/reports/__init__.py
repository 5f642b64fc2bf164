"""Reports of stored facts: history of queues and lines, and what departments pay.

Here: words, tables, plots and files. Not here: arithmetic (core/), SQL (db/), arguments
(cli_report.py).
"""

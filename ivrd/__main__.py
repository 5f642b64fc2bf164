"""`python -m ivrd`."""

from ivrd.cli import main

main()

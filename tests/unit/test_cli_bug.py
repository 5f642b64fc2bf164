"""A bug on the command line is told without the values that the program had in hand."""

import subprocess
import sys

BUG = """
from ivrd import cli

def broken():
    caller_number = "0701740605"
    raise ValueError("nobody foresaw this, of 0701740605")

cli.cli = broken
cli.main()
"""


def test_a_bug_is_told_without_callers_numbers() -> None:
    told = subprocess.run([sys.executable, "-c", BUG], capture_output=True, text=True, check=False)
    assert told.returncode == 70, told.stderr
    assert "nobody foresaw this" in told.stderr
    assert "0701740605" not in told.stdout + told.stderr
    assert "caller_number =" not in told.stdout + told.stderr

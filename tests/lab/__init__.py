"""The lab: what a person or a test needs to meet a real PBX on one machine.

Everything here listens on loopback only, uses ports nobody else in the lab uses, keeps its files in
a directory of its own, and is ended by the id of the process that the lab started.
"""

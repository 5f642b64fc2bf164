"""The daemon beside an Asterisk PBX that runs tone menus, overflow, cases and queue figures."""

__version__ = "0.1.0"

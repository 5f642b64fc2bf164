"""Prompts as sound: recordings and placeholders of the sheet's texts, where Asterisk finds them.

A caller's channel of language `sv` plays `ivrd/huvudmeny` from `SOUNDS/sv/ivrd/huvudmeny.wav`.
"""

"""Who may see and do what, and when.

Here: persons, rights, shifts, tokens, sessions and limits; nothing of it knows HTTP or MQTT. Not
here: the routes (web/), signing in by OpenID Connect (web/oidc.py), carrying out (switches.py).

How it is used
    person = book.by_token(text)                     None: nobody
    fault = refusal(person, Deed.SWITCH_LINE, lines) None: may do it
"""

from ivrd.access.rights import ANONYMOUS, Deed, Grant, Person, Role, refusal

__all__ = ["ANONYMOUS", "Deed", "Grant", "Person", "Role", "refusal"]

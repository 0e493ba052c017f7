"""Portal: the web pages of the platform, and the sessions of browsers in them.

A client of the public API like any other: it knows the authorization server by its issuer and what
that says of itself, holds tokens in place of the browser, and has no privileged way in.

Owns: browser session.
Publishes: nothing.
Consumes: nothing.
"""

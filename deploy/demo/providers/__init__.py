"""Identity providers of the demo's cities: real OpenID providers, of two kinds.

They stand where in life each city's own provider stands, so they know nothing of the platform but
its callback. Everybody may log in as anybody: there are no passwords. They forget their sessions
and keys when they are restarted, but never who their people are.
"""

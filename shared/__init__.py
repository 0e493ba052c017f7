"""Mechanisms that every service needs and that can be said without a word of the domain.

`contracts` is the exception: it is the published language in which services speak to each other.
"""

"""The published language: every fact that services tell each other and partner cities.

A field may be added with a default. Anything else is a new class with a higher `revision`.
"""

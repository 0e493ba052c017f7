"""Measures the platform against what the machine can do, both in the same minutes.

Every figure stands beside a limit that was measured in rounds between ours, so that a slow or busy
machine changes both. Nothing here runs in the tests: a time says nothing about right or wrong.
"""

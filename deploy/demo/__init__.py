"""The demo: real cities and projects, loaded and checked through the public API.

Members, dates of membership, partnerships and joint projects are public facts. Milestones and their
deadlines are made up, and so are officials, who are named by their function. Deadlines are counted
from the day of loading, so that the demo never ages.
"""

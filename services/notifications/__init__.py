"""Notifications: who hears of what happened, and whether it got there.

Owns: inbox items of officials; webhook endpoints of members with their secrets and the consents of
their receivers, what waits to be sent to them, and every attempt to send it; the feed of each
member, how far its systems have read it, and signed digests of its days.
Publishes: renkei.webhook_endpoint.*, renkei.inbox_item.*.
Consumes: every event of members and projects, and its own.
"""

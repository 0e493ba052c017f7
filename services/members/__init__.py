"""Members: who belongs to the network, who acts for whom, and the tokens that prove it.

Owns: member with its dated memberships, official, client, signing key.
Publishes: renkei.member.*, renkei.official.* and renkei.client.* (`shared/contracts/members.py`).
Consumes: nothing.
"""

"""Members: who belongs to the network, who acts for whom, and the tokens that prove it.

Owns: member with its dated memberships, official, client, signing key; identity provider, mail
    domain, identity, and the sessions of people with what is issued in them.
Publishes: renkei.member.*, renkei.official.*, renkei.client.* and renkei.session.*
    (`shared/contracts/members.py`).
Consumes: nothing.
"""

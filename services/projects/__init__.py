"""Projects: what members do together, who takes part, what is owed by when and what was delivered.

Owns: project with its charter, participation, milestone with its contributions, decision with its
positions, handover, comment, objective, theme, calendar feed.
Publishes: the facts in `shared/contracts/projects`.
Consumes: members.member, members.official, members.client (copies); who leaves the network loses
its places.
"""

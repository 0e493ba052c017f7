"""Projects: what members do together, who takes part, what is owed by when and what was delivered.

Owns: project, participation, milestone with its contributions, comment, history of a project.
Publishes: the facts in `shared/contracts/projects.py`.
Consumes: members.member, members.official, members.client (copies).
"""

"""The door for the directories of members. Source: RFC 7643, RFC 7644."""

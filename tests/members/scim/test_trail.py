"""What a directory does stands in the trail of its member, and names nobody."""

from tests.members.network import ADMINISTRATOR
from tests.members.scim.directory import Directory


async def test_the_trail_tells_what_the_directory_did_and_of_nobody(seoul: Directory) -> None:
    await seoul.network.appoint(ADMINISTRATOR)
    issued = await seoul.network.send("POST", "/seoul/scim-tokens", {"name": "Okta"}, by="seoul")
    entra = Directory(seoul.network, "seoul", issued.json()["token"])
    made = await entra.create(externalId="employee-1", title="Engineer")
    path = f"/Users/{made['id']}"
    await entra.patch(path, {"op": "replace", "path": "externalId", "value": "employee-2"})
    group = await entra.group("Leads", made)
    await entra.map(group, "coordinator")
    await entra.patch(path, {"op": "replace", "path": "active", "value": False})
    await entra.send("DELETE", f"/Groups/{group['id']}")
    await entra.send("DELETE", path)
    token = f"{issued.json()['id']}"
    await seoul.network.send("DELETE", f"/seoul/scim-tokens/{token}", by="seoul", version=1)

    trail = (await seoul.network.get("/seoul/audit-entries?limit=200", by="seoul"))["items"]

    person, directory = f"official:{made['id']}", f"client:scim-{token}"
    circle = f"scim_group:{group['id']}"
    told = [
        (entry["action"], entry["subject"], entry["actor"])
        for entry in sorted(trail, key=lambda entry: int(entry["position"]))
        if entry["subject"] in (person, circle, f"scim_token:{token}")
    ]
    assert told == [
        ("scim.token_issued", f"scim_token:{token}", "client:seoul-main"),
        ("official.appointed", person, directory),
        ("scim.user_changed", person, directory),
        ("scim.group_created", circle, directory),
        ("official.role_changed", person, "client:seoul-main"),
        ("scim.group_role_given", circle, "client:seoul-main"),
        ("official.blocked", person, directory),
        ("official.role_changed", person, directory),
        ("scim.group_removed", circle, directory),
        ("official.erased", person, directory),
        ("scim.token_revoked", f"scim_token:{token}", "client:seoul-main"),
    ]
    written = str(trail).lower()
    for private in ("min@", "'min'", "engineer", "employee", "leads", "okta"):
        assert private not in written

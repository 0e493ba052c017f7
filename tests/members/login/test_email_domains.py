"""Mail domains: claimed by several, proven by one, asked for in the DNS."""

from typing import Final

import pytest
from fastapi import FastAPI

from services.members.gateways.domain_records import DnsRecords
from services.members.use_cases.prove_email_domain import DomainRecordsAway
from tests.members.network import SECRETARIAT, Network, city, code_of

PATH: Final = "/seoul/email-domains"


class Records:
    """The DNS of a test."""

    def __init__(self) -> None:
        self.entries: dict[str, frozenset[str]] = {}
        self.is_away = False

    async def texts(self, name: str) -> frozenset[str]:
        if self.is_away:
            raise DomainRecordsAway("Try again in a few minutes.")
        return self.entries.get(name, frozenset())


@pytest.fixture
def records(app: FastAPI) -> Records:
    app.state.domain_records = records = Records()
    return records


async def claimed(network: Network, member: str = "seoul") -> dict[str, str]:
    response = await network.send(
        "POST", f"/{member}/email-domains", {"domain": "Seoul.Example"}, by=member
    )
    assert response.status_code == 201, response.text
    return dict(response.json())


async def verify(network: Network, member: str = "seoul") -> tuple[int, str | None]:
    response = await network.send(
        "POST", f"/{member}/email-domains/seoul.example/verification", by=member
    )
    return response.status_code, None if response.status_code == 200 else code_of(response)


async def test_a_domain_is_proven_by_a_record_in_the_dns(
    network: Network, records: Records
) -> None:
    await network.join()
    domain = await claimed(network)
    records.entries[domain["record_name"]] = frozenset({"v=spf1", domain["record_value"]})

    assert await verify(network) == (200, None)

    shown = await network.get(f"{PATH}/seoul.example", by="seoul")
    assert domain["record_name"] == "_renkei.seoul.example"
    assert domain["record_value"].startswith("renkei-domain-verification=")
    assert shown["verified_at"] is not None
    assert (await network.get(PATH, by="seoul"))["items"] == [shown]


async def test_without_the_record_it_is_not(network: Network, records: Records) -> None:
    await network.join()
    domain = await claimed(network)
    records.entries[domain["record_name"]] = frozenset({"renkei-domain-verification=other"})

    assert await verify(network) == (409, "email-domain-not-proven")

    assert (await network.get(f"{PATH}/seoul.example", by="seoul"))["verified_at"] is None


async def test_a_silent_dns_proves_nothing(network: Network, records: Records) -> None:
    await network.join()
    await claimed(network)
    records.is_away = True

    assert await verify(network) == (503, "domain-records-unavailable")


async def test_several_may_claim_it_and_one_has_it(network: Network, records: Records) -> None:
    await network.join()
    await network.join(city("busan"))
    both = [await claimed(network), await claimed(network, "busan")]
    records.entries["_renkei.seoul.example"] = frozenset(one["record_value"] for one in both)

    first, second = await verify(network), await verify(network, "busan")
    stale = await network.send("DELETE", f"{PATH}/seoul.example", by="seoul", version=1)
    given_up = await network.send("DELETE", f"{PATH}/seoul.example", by="seoul", version=2)
    third = await verify(network, "busan")

    assert (first, second) == ((200, None), (409, "email-domain-taken"))
    assert (stale.status_code, code_of(stale)) == (412, "version-stale")
    assert (given_up.status_code, third) == (204, (200, None))


async def test_it_is_claimed_once(network: Network) -> None:
    await network.join()
    await claimed(network)

    response = await network.send("POST", PATH, {"domain": "seoul.example"}, by="seoul")

    assert (response.status_code, code_of(response)) == (409, "email-domain-claimed")


@pytest.mark.parametrize(
    "domain", ["example", "a b.example", "-a.example", "a..example", "1.2.3.4", "x@y.example", ""]
)
async def test_what_is_no_domain_is_refused(network: Network, domain: str) -> None:
    await network.join()

    response = await network.send("POST", PATH, {"domain": domain}, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


async def test_nobody_else_sees_or_changes_it(network: Network, records: Records) -> None:
    await network.join()
    await network.join(city("busan"))
    domain = await claimed(network)
    records.entries[domain["record_name"]] = frozenset({domain["record_value"]})

    for by in ("busan", "tokyo"):
        for method, path in (
            ("GET", PATH),
            ("GET", f"{PATH}/seoul.example"),
            ("DELETE", f"{PATH}/seoul.example"),
            ("POST", f"{PATH}/seoul.example/verification"),
        ):
            response = await network.send(method, path, by=by, scopes=SECRETARIAT, version=1)
            assert (response.status_code, code_of(response)) == (404, "email-domain-not-found")

    assert (await network.get(f"{PATH}/seoul.example", by="seoul"))["verified_at"] is None


async def test_a_name_server_that_is_silent_is_no_proof() -> None:
    records = DnsRecords(["127.0.0.1:9"], seconds=0.3)

    with pytest.raises(DomainRecordsAway):
        await records.texts("_renkei.seoul.example")

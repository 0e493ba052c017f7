"""Asks the DNS what it says of a mail domain."""

from collections.abc import Sequence

import structlog
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer

from services.members.use_cases.prove_email_domain import DomainRecordsAway

log = structlog.get_logger(__name__)


class DnsRecords:
    """Asks the name servers of the machine, or others that are given as `address:port`."""

    def __init__(self, servers: Sequence[str], *, seconds: float) -> None:
        self._servers = servers
        self._seconds = seconds

    async def texts(self, name: str) -> frozenset[str]:
        """Give what the TXT records of a name say; nothing if there are none.

        Raises:
            DomainRecordsAway: there is no answer.
        """
        try:
            found = await self._resolver().resolve(
                f"{name}.", "TXT", lifetime=self._seconds, search=False
            )
        except (NXDOMAIN, NoAnswer):
            return frozenset()
        except (DNSException, OSError) as error:
            log.warning("dns.away", name=name, error=repr(error)[:300])
            raise DomainRecordsAway("Try again in a few minutes.") from error
        return frozenset(b"".join(each.strings).decode("utf-8", "replace") for each in found)

    def _resolver(self) -> Resolver:
        resolver = Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [server.rpartition(":")[0] for server in self._servers]
            ports = zip(resolver.nameservers, self._servers, strict=True)
            resolver.nameserver_ports = {
                str(name): int(server.rpartition(":")[2]) for name, server in ports
            }
        return resolver

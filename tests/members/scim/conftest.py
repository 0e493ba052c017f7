"""Seoul, whose directory tells of its officials."""

import pytest

from tests.members.network import Network
from tests.members.scim.directory import Directory, directory_of


@pytest.fixture
async def seoul(network: Network) -> Directory:
    await network.join()
    return await directory_of(network)

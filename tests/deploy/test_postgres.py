"""What happens to PostgreSQL's data when somebody is impatient."""

import asyncio
from pathlib import Path

from deploy.embedded.layout import reserved_base_port
from deploy.embedded.postgres import Postgres
from tests.deploy.standin_platform import running


async def until_exists(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(0.001)


async def test_a_first_start_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    with reserved_base_port() as port:
        postgres = Postgres(
            data=tmp_path / "data", port=port, password="secret", log=tmp_path / "log"
        )
        first = asyncio.create_task(postgres.initialise())
        await until_exists(tmp_path / "data.new" / "PG_VERSION")
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()

        await postgres.initialise()

        async with running(postgres.program(), log=tmp_path / "log"):
            await postgres.create_service_databases({"projects": "secret"})

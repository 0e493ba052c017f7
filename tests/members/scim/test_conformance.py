"""The reference tester finds nothing that SCIM 2.0 would have otherwise."""

from anyio import from_thread, to_thread
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncBaseTransport, BaseTransport, Client, Request, Response
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import CheckResult, Status, check_server

from tests.members.scim.directory import Directory
from tests.web import ISSUER


class FromThread(BaseTransport):
    """Lets the tester, which waits for each answer, ask an application in our own loop."""

    def __init__(self, app: FastAPI) -> None:
        self.transport: AsyncBaseTransport = ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: Request) -> Response:
        return from_thread.run(self._answer, request)

    async def _answer(self, request: Request) -> Response:
        response = await self.transport.handle_async_request(
            Request(request.method, request.url, headers=request.headers, content=request.read())
        )
        body = await response.aread()
        return Response(response.status_code, headers=response.headers, content=body)


async def test_the_reference_tester_is_content(seoul: Directory) -> None:
    def check() -> list[CheckResult]:
        with Client(
            transport=FromThread(seoul.network.app),
            base_url=f"{ISSUER}/scim/v2",
            headers={"Authorization": f"Bearer {seoul.token}"},
        ) as http:
            return check_server(SyncSCIMClient(http))

    results = await to_thread.run_sync(check)

    failed = [
        f"{result.title}: {result.reason}" for result in results if result.status != Status.SUCCESS
    ]
    assert failed == []
    assert len(results) > 60

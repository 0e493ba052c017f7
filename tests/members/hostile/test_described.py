"""What the description of the API allows, and what it forbids, is answered and no fault.

Schemathesis invents the requests; we send them, so that they meet a database with something in it.
"""

import random
import warnings
from functools import cache
from typing import Any, Final

import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.members.hostile.routes import document
from tests.members.hostile.world import Watch, World

OPERATIONS: Final = [
    f"{method.upper()} {path}"
    for path, operations in document()["paths"].items()
    for method in operations
]
EXAMPLES: Final = 5


@cache
def schema() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import schemathesis  # noqa: PLC0415 -- slow, and warns when it is imported

        return schemathesis.openapi.from_dict(document())


def invented(operation: str) -> list[Any]:
    """Requests of an operation, as described and not."""
    from schemathesis import GenerationMode  # noqa: PLC0415

    method, _, path = operation.partition(" ")
    cases: list[Any] = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            database=None,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(schema()[path][method].as_strategy(generation_mode=mode))
        def collect(case: Any) -> None:
            cases.append(case)

        try:
            collect()
        except Unsatisfiable:
            continue  # nothing that it takes can be wrong
    return cases


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.filterwarnings("ignore")
async def test_a_request_that_was_invented_is_no_fault(
    world: World, http: AsyncClient, operation: str
) -> None:
    chance, watch = random.Random(operation), Watch()
    template = operation.partition(" ")[2]

    for case in invented(operation):
        given = case.as_transport_kwargs(base_url="https://renkei.example")
        address = given["url"].removeprefix("https://renkei.example")
        if chance.random() < 0.8:
            address = world.path(template, chance, odd=0.05)
        headers = {
            name: str(value)
            for name, value in (given.get("headers") or {}).items()
            if str(value).isprintable() and str(value).isascii() and name.isascii()
        }
        if chance.random() < 0.9:
            headers["Authorization"] = f"Bearer {chance.choice(world.tokens())}"
        if chance.random() < 0.8:
            headers["If-Match"] = '"1"'
        body = {name: given[name] for name in ("json", "data") if given.get(name) is not None}
        if isinstance(body.get("data"), bytes):
            body = {"content": body["data"]}
        answer = await http.request(
            case.method, address, params=given.get("params"), headers=headers, **body
        )
        watch.see(answer, (operation, address, given))

    watch.close()

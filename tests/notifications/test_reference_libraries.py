"""What we send is right to the reference libraries, and to anybody with the public keys."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.embedded.console import Console
from deploy.embedded.node import NodeProgram, node
from services.notifications.model.destination import Destination, Key
from services.notifications.model.signing import (
    new_secret,
    public_half,
    public_jwk,
    signed_headers,
    signing_key,
    written_secret,
)
from shared.clock import utc_now
from shared.identifiers import new_id

NODE: Final = NodeProgram(
    Path(__file__).parent / "reference",
    Path(sys.prefix) / "renkei-node-webhook-reference",
    "its tests cannot run",
)
BODY: Final = '{"type":"renkei.project.proposed.v1","title":"東京とソウル"}'
FORMER, PRESENT, OTHER = (new_secret() for _ in range(3))
FORMER_PAIR, PRESENT_PAIR, OTHER_PAIR = (new_secret() for _ in range(3))


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    assert NODE.install(Console(), os.environ)


def by_node(asked: Sequence[dict[str, Any]]) -> list[str]:
    ended = subprocess.run(
        [str(node()), "verify.mjs"],
        cwd=NODE.place,
        input="".join(f"{json.dumps(each)}\n" for each in asked).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return ended.stdout.decode().split()


def by_python(secret: bytes, headers: dict[str, str]) -> str:
    try:
        Webhook(written_secret(secret)).verify(BODY, headers)
    except WebhookVerificationError:
        return "wrong"
    return "right"


def test_both_versions_are_right_before_during_and_after_a_rotation() -> None:
    now = utc_now()
    until = now + timedelta(hours=1)
    destination = Destination(
        "https://hooks.seoul.example/",
        [
            Key(signing_key("v1", PRESENT)),
            Key(signing_key("v1a", PRESENT_PAIR)),
            Key(signing_key("v1", FORMER), until),
            Key(signing_key("v1a", FORMER_PAIR), until),
        ],
    )
    # Before the rotation the present keys were not there yet.
    before = [signing_key("v1", FORMER), signing_key("v1a", FORMER_PAIR)]
    keys = {
        "before": before,
        "during": destination.keys_at(now),
        "after": destination.keys_at(until),
    }
    right = {"before": {FORMER, FORMER_PAIR}, "after": {PRESENT, PRESENT_PAIR}}
    right["during"] = right["before"] | right["after"]

    for when, signs in keys.items():
        headers = signed_headers(signs, "msg_1", BODY.encode(), now=now)
        expected = [
            "right" if key in right[when] else "wrong"
            for key in (FORMER, PRESENT, OTHER, FORMER_PAIR, PRESENT_PAIR, OTHER_PAIR)
        ]
        told = {"headers": headers, "body": BODY}
        found = by_node(
            [
                *({"secret": written_secret(one), **told} for one in (FORMER, PRESENT, OTHER)),
                *(
                    {"keys": [public_jwk(new_id(), public_half(pair))], **told}
                    for pair in (FORMER_PAIR, PRESENT_PAIR, OTHER_PAIR)
                ),
            ]
        )

        assert found == expected
        assert [by_python(one, headers) for one in (FORMER, PRESENT, OTHER)] == expected[:3]


def test_another_body_is_wrong() -> None:
    keys = [signing_key("v1", PRESENT), signing_key("v1a", PRESENT_PAIR)]
    headers = signed_headers(keys, "msg_1", BODY.encode(), now=utc_now())
    told = {"headers": headers, "body": BODY.replace("東京", "大阪")}

    found = by_node(
        [
            {"secret": written_secret(PRESENT), **told},
            {"keys": [public_jwk(new_id(), public_half(PRESENT_PAIR))], **told},
        ]
    )

    assert found == ["wrong", "wrong"]

// Verifies messages as receivers in Node do: v1 with the reference library of Standard Webhooks, v1a
// with a public key from a JWK set. One JSON object per line in, one word per line out.

import { createPublicKey, verify as verifySignature } from "node:crypto";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

function byReference({ secret, headers, body }) {
  new Webhook(secret).verify(body, headers);
  return true;
}

function byPublicKey({ keys, headers, body }) {
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const signatures = headers["webhook-signature"]
    .split(" ")
    .filter((each) => each.startsWith("v1a,"))
    .map((each) => Buffer.from(each.slice(4), "base64"));
  return keys.some((jwk) => {
    const key = createPublicKey({ key: jwk, format: "jwk" });
    return signatures.some((signature) => verifySignature(null, signed, key, signature));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let right;
  try {
    right = asked.keys ? byPublicKey(asked) : byReference(asked);
  } catch {
    right = false;
  }
  console.log(right ? "right" : "wrong");
}

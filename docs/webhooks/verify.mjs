// Verify a webhook of Renkei with nothing but Node.
//
// node verify.mjs whsec_… ID TIMESTAMP SIGNATURE < body; exits with 0 if it is right.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const TOLERANCE_SECONDS = 300;

/** Tell whether a message is genuine and new. `body` must be the bytes as they came. */
export function verify(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  if (!/^\d+$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const expected = Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  // Several signatures while secrets change, and of several versions: one that is right is enough.
  return headers["webhook-signature"].split(" ").some((given) => {
    const found = Buffer.from(given);
    return found.length === expected.length && timingSafeEqual(found, expected);
  });
}

const [secret, id, timestamp, signature] = process.argv.slice(2);
const headers = {
  "webhook-id": id,
  "webhook-timestamp": timestamp,
  "webhook-signature": signature,
};
process.exit(verify(secret, headers, readFileSync(0)) ? 0 : 1);

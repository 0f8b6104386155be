// Verifies a delivery with the JavaScript library of Standard Webhooks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const { secrets, headers, body } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const secret of secrets) {
  const receiver = new Webhook(secret);
  assert.equal(receiver.verify(body, headers).type, "post.created");
  const earlier = String(Number(headers["webhook-timestamp"]) - 1);
  for (const changed of [{ "webhook-id": "evt_0" }, { "webhook-timestamp": earlier }]) {
    const refused = () => receiver.verify(body, { ...headers, ...changed });
    assert.throws(refused, WebhookVerificationError);
  }
  assert.throws(() => receiver.verify(`${body} `, headers), WebhookVerificationError);
}
console.log("ok");

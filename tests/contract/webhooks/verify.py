"""Verifies a delivery with the Python library of Standard Webhooks."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

with open(sys.argv[1], encoding="utf-8") as file:
    delivery = json.load(file)
headers, body = delivery["headers"], delivery["body"]
for secret in delivery["secrets"]:
    message = Webhook(secret).verify(body, headers)
    assert message["type"] == "post.created", message
    for changed in (
        {**headers, "webhook-id": "evt_0"},
        {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)},
    ):
        try:
            Webhook(secret).verify(body, changed)
        except WebhookVerificationError:
            continue
        sys.exit("a changed header was accepted")
    try:
        Webhook(secret).verify(body + " ", headers)
    except WebhookVerificationError:
        continue
    sys.exit("a changed body was accepted")
print("ok")

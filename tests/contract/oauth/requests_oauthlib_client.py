"""Uses the service as an authorization server (OAuth 2.0) with requests-oauthlib."""

import os
import sys

import requests
from oauthlib.oauth2 import (
    BackendApplicationClient,
    InvalidGrantError,
    InvalidScopeError,
    LegacyApplicationClient,
    UnsupportedGrantTypeError,
)
from requests_oauthlib import OAuth2Session

base = sys.argv[1]
# Allows plain HTTP. The server is on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
ADA = {"username": "ada@example.com", "password": "correct horse"}


def session(scope=None):
    return OAuth2Session(client=LegacyApplicationClient(client_id="any", scope=scope))


def fails(error, code, request):
    try:
        request()
    except error as raised:
        assert raised.error == code, raised
        assert "/problems/" in raised.uri, raised.uri
    else:
        raise AssertionError(f"no {error.__name__}")


ada = session()
token = ada.fetch_token(f"{base}/login", **ADA)
me = ada.get(f"{base}/users/me")
me.raise_for_status()
assert me.json()["username"] == "ada"

refreshed = ada.refresh_token(f"{base}/login")
assert refreshed["refresh_token"] != token["refresh_token"]
ada.get(f"{base}/users/me").raise_for_status()
ada.scope = ["posts:read"]
narrowed = ada.refresh_token(f"{base}/login")
assert narrowed["scope"] == ["posts:read"], narrowed
assert ada.get(f"{base}/posts").status_code == 200
assert ada.post(f"{base}/posts", json={"title": "Notes", "content": "None"}).status_code == 403

reader = session(["posts:read"])
narrow = reader.fetch_token(f"{base}/login", **ADA)
assert narrow["scope"] == ["posts:read"], narrow
assert reader.get(f"{base}/posts").status_code == 200
assert reader.post(f"{base}/posts", json={"title": "Notes", "content": "None"}).status_code == 403

wrong = ADA | {"password": "wrong horse"}
fails(InvalidGrantError, "invalid_grant", lambda: session().fetch_token(f"{base}/login", **wrong))
fails(InvalidScopeError, "invalid_scope", lambda: session(["posts:eat"]).fetch_token(f"{base}/login", **ADA))
client = OAuth2Session(client=BackendApplicationClient(client_id="any"))
fails(UnsupportedGrantTypeError, "unsupported_grant_type", lambda: client.fetch_token(f"{base}/login"))

url, headers, body = ada._client.prepare_token_revocation_request(f"{base}/revoke", ada.token["refresh_token"])
requests.post(url, data=body, headers=headers).raise_for_status()
assert ada.get(f"{base}/users/me").status_code == 401
fails(InvalidGrantError, "invalid_grant", lambda: ada.refresh_token(f"{base}/login"))
print("ok")

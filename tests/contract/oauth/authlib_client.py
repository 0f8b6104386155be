"""Uses the service as an authorization server (OAuth 2.0) with Authlib."""

import sys

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import get_well_known_url

base = sys.argv[1]
ADA = {"username": "ada", "password": "correct horse"}
server = requests.get(get_well_known_url(base, external=True)).json()
LOGIN = server["token_endpoint"]


def session(scope=None):
    return OAuth2Session(client_id="any", scope=scope, token_endpoint_auth_method="none")


def fails(code, request):
    try:
        request()
    except OAuthError as error:
        assert error.error == code and error.description, error
    else:
        raise AssertionError("no OAuthError")


ada = session()
token = ada.fetch_token(LOGIN, **ADA)
me = ada.get(f"{base}/users/me")
assert me.json()["username"] == "ada", me.text

refreshed = ada.refresh_token(LOGIN)
assert refreshed["refresh_token"] != token["refresh_token"]
narrow = ada.refresh_token(LOGIN, scope="posts:read")
assert narrow["scope"] == "posts:read", narrow
assert ada.get(f"{base}/posts").status_code == 200
assert ada.post(f"{base}/posts", json={"title": "Notes", "content": "None"}).status_code == 403

reader = session("posts:read")
assert reader.fetch_token(LOGIN, **ADA)["scope"] == "posts:read"

fails("invalid_grant", lambda: session().fetch_token(LOGIN, **ADA | {"password": "wrong horse"}))
fails("invalid_scope", lambda: session("posts:eat").fetch_token(LOGIN, **ADA))
fails("unsupported_grant_type", lambda: session().fetch_token(LOGIN, grant_type="client_credentials"))

service = session("introspect")
service.fetch_token(LOGIN, **ADA)
INTROSPECT = server["introspection_endpoint"]


def introspect(token):
    answer = service.introspect_token(INTROSPECT, token=token, auth=service.token_auth)
    answer.raise_for_status()
    return answer.json()


state = introspect(ada.token["access_token"])
assert state["active"] and state["username"] == "ada", state
ada.revoke_token(server["revocation_endpoint"], token=ada.token["refresh_token"]).raise_for_status()
assert introspect(ada.token["access_token"]) == {"active": False}
assert ada.get(f"{base}/users/me").status_code == 401
fails("invalid_grant", lambda: ada.refresh_token(LOGIN))
print("ok")

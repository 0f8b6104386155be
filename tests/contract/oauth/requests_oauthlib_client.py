"""Fetches a token from /login with requests-oauthlib and uses it."""

import os
import sys

from oauthlib.oauth2 import LegacyApplicationClient
from requests_oauthlib import OAuth2Session

base = sys.argv[1]
# Allows plain HTTP. The server is on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
session = OAuth2Session(client=LegacyApplicationClient(client_id="any"))
token = session.fetch_token(f"{base}/login", username="ada@example.com", password="correct horse")
me = session.get(f"{base}/users/me")
me.raise_for_status()
print(f"{token['token_type']}: {me.json()['username']}")

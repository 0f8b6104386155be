"""Sets the actor of a request to the subject of its JSON Web Token."""

import os

import jwt
from datasette import hookimpl


@hookimpl
def actor_from_request(request):
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        claims = jwt.decode(token, os.environ["JWT_SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return None
    return {"id": claims["sub"]}

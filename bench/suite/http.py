"""Requests: sent one by one for the checks, and as templates for the load generators."""

import http.client
import json
from dataclasses import dataclass

# Placeholder for a post id. In a body the id is padded with spaces, so that the length is constant.
ID = "@ID@"
_PATH_ID, _BODY_ID, _WIDTH = "%d", "%8d", 8
_OUT_OF_FORMAT = str.maketrans({"%": "%%"})


@dataclass(frozen=True)
class Request:
    """A request without its credentials."""

    method: str
    path: str
    body: str = ""
    kind: str = "application/json"

    def of(self, post: int) -> "Request":
        """The request with the id `post`."""
        return Request(self.method, self.path.replace(ID, str(post)),
                       self.body.replace(ID, str(post)), self.kind)

    def template(self, token: str = "") -> str:
        """The bytes to send, as a format for Lua's `string.format` with one number."""
        path = self.path.translate(_OUT_OF_FORMAT).replace(ID, _PATH_ID)
        lines = [f"{self.method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        body = self.body.translate(_OUT_OF_FORMAT).replace(ID, _BODY_ID)
        if self.body:
            length = len(self.body.replace(ID, " " * _WIDTH).encode())
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {length}"]
        return "\r\n".join([*lines, "", body])


def as_json(**members) -> str:
    """A JSON object. A member equal to `ID` becomes a number."""
    return json.dumps(members).replace(f'"{ID}"', ID)


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self):
        """The body, parsed."""
        return json.loads(self.text)


class Client:
    """One connection to a contender."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, request: Request, token: str = "") -> Answer:
        """Sends `request` and returns the response."""
        headers = {"Content-Type": request.kind} if request.body else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.connection.request(request.method, request.path, request.body or None, headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())

    def expect(self, status: int, request: Request, token: str = "") -> Answer:
        """Sends `request` and returns the response. Fails unless it has `status`."""
        answer = self.send(request, token)
        if answer.status != status:
            raise RuntimeError(f"{request}: {answer.status} instead of {status}: {answer.text[:500]}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

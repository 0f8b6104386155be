"""Signs up, posts and votes with a client that openapi-python-client made of the document."""

import sys

from acclaim_client import AuthenticatedClient, Client
from acclaim_client.api.posts import create_post, list_posts
from acclaim_client.api.sign_in import login
from acclaim_client.api.users import sign_up
from acclaim_client.api.votes import vote
from acclaim_client.models import Grant, NewPost, NewUser, PasswordGrant, Post, Problem, User, Vote, Voted

base = sys.argv[1]
stranger = Client(base_url=base)

new = NewUser(email="ada@example.com", password="correct horse", username="ada")
user = sign_up.sync(client=stranger, body=new)
assert isinstance(user, User), user
again = sign_up.sync(client=stranger, body=new)
assert isinstance(again, Problem) and again.status == 409, again

grant = login.sync(client=stranger, body=PasswordGrant(username="ada", password="correct horse"))
assert isinstance(grant, Grant), grant

ada = AuthenticatedClient(base_url=base, token=grant.access_token)
post = create_post.sync(client=ada, body=NewPost(title="Notes", content="It weaves algebraic patterns."))
assert isinstance(post, Post), post
voted = vote.sync(client=ada, body=Vote(post_id=post.id, dir_=1))
assert isinstance(voted, Voted), voted
posts = list_posts.sync(client=ada, search="algebraic")
assert isinstance(posts, list), posts
print(f"{posts[0].votes} vote")

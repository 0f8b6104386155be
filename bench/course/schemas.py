"""Request and response types."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class PostCreate(BaseModel):
    title: str
    content: str
    published: bool = True


class Owner(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class Post(PostCreate):
    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime
    owner_id: int
    owner: Owner


class PostOut(Post):
    votes: int


class Vote(BaseModel):
    post_id: int
    dir: Literal[0, 1]


class Message(BaseModel):
    message: str


class Token(BaseModel):
    access_token: str
    token_type: str

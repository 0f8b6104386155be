"""Passwords and tokens."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.orm import Session

from . import models
from .database import get_db

SECRET_KEY = os.environ["JWT_SECRET"]
ALGORITHM = "HS256"

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="login")
# The same parameters as for all contenders.
passwords = PasswordHash([Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)])


def create_access_token(user_id: int) -> str:
    expires = datetime.now(UTC) + timedelta(minutes=60)
    return jwt.encode({"sub": str(user_id), "exp": expires}, SECRET_KEY, algorithm=ALGORITHM)


def get_current_user(
    token: Annotated[str, Depends(oauth2_scheme)], db: Annotated[Session, Depends(get_db)]
) -> models.User:
    refused = HTTPException(
        status.HTTP_401_UNAUTHORIZED, "Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"})
    try:
        user_id = int(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise refused from None
    user = db.query(models.User).filter(models.User.id == user_id).first()
    if user is None:
        raise refused
    return user

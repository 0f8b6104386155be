"""The routes."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, status
from fastapi.security import OAuth2PasswordRequestForm
from sqlalchemy import func
from sqlalchemy.orm import Session, selectinload

from . import models, oauth2, schemas
from .database import get_db

app = FastAPI()
Db = Annotated[Session, Depends(get_db)]
CurrentUser = Annotated[models.User, Depends(oauth2.get_current_user)]


def posts_with_votes(db: Session):
    """Joins votes with COUNT. One more query reads the owners of the whole page."""
    return (
        db.query(models.Post, func.count(models.Vote.post_id).label("votes"))
        .join(models.Vote, models.Vote.post_id == models.Post.id, isouter=True)
        .options(selectinload(models.Post.owner))
        .group_by(models.Post.id)
    )


def with_votes(post: models.Post, votes: int) -> models.Post:
    post.votes = votes
    return post


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/login")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Db) -> schemas.Token:
    user = db.query(models.User).filter(models.User.email == form.username).first()
    if user is None or not oauth2.passwords.verify(form.password, user.password):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Invalid Credentials")
    return schemas.Token(access_token=oauth2.create_access_token(user.id), token_type="bearer")


@app.get("/posts", response_model=list[schemas.PostOut])
def get_posts(
    db: Db, current_user: CurrentUser, limit: Annotated[int, Query(ge=1, le=100)] = 10,
    skip: Annotated[int, Query(ge=0)] = 0, search: str = "",
):
    posts = (
        posts_with_votes(db)
        .filter(models.Post.title.contains(search))
        .order_by(models.Post.id.desc())
        .limit(limit)
        .offset(skip)
        .all()
    )
    return [with_votes(post, votes) for post, votes in posts]


@app.get("/posts/{id}", response_model=schemas.PostOut)
def get_post(id: int, db: Db, current_user: CurrentUser):
    found = posts_with_votes(db).filter(models.Post.id == id).first()
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"post with id: {id} was not found")
    return with_votes(*found)


@app.post("/posts", status_code=status.HTTP_201_CREATED, response_model=schemas.Post)
def create_post(post: schemas.PostCreate, db: Db, current_user: CurrentUser):
    new_post = models.Post(owner_id=current_user.id, **post.model_dump())
    db.add(new_post)
    db.commit()
    db.refresh(new_post)
    return new_post


@app.post("/vote", status_code=status.HTTP_201_CREATED)
def vote(vote: schemas.Vote, db: Db, current_user: CurrentUser) -> schemas.Message:
    post = db.query(models.Post).filter(models.Post.id == vote.post_id).first()
    if post is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"post {vote.post_id} does not exist")
    votes = db.query(models.Vote).filter(
        models.Vote.post_id == vote.post_id, models.Vote.user_id == current_user.id)
    found = votes.first()
    if vote.dir == 1:
        if found is not None:
            raise HTTPException(status.HTTP_409_CONFLICT, f"already voted on post {vote.post_id}")
        db.add(models.Vote(post_id=vote.post_id, user_id=current_user.id))
        db.commit()
        return schemas.Message(message="successfully added vote")
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "vote does not exist")
    votes.delete(synchronize_session=False)
    db.commit()
    return schemas.Message(message="successfully deleted vote")

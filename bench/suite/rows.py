"""The rows that every contender starts with. Equal parameters give equal rows."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate, pairwise

# Number of users that send requests: users 1 to READERS.
READERS = 64
# Occurs in the title of exactly 1 % of the posts, and in no other word.
RARE = "zephyrine"
PASSWORD = "correct horse battery staple"
# Argon2id of PASSWORD with 19 MiB, two passes and one lane, as all contenders use it.
HASH = ("$argon2id$v=19$m=19456,t=2,p=1$"
        "YWNjbGFpbWJlbmNobWFyaw$C7EWgHLhfwhAE9M6xzzDDyCqon1gO82Olk7G/lCaf+o")
# Number of newest posts. The readers have voted for some of these and for no others.
NEWEST = 100
_STEPS = (5, 7, 11, 13, 17, 19, 29, 31, 37, 41, 43, 47)
_START = datetime(2025, 1, 1, tzinfo=UTC)


def _moment(seconds: int) -> str:
    return (_START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Rows:
    """`posts` is even and at least 1,000. `votes` is at least the number of the readers' votes."""

    posts: int = 100_000
    votes: int = 1_000_000
    users: int = 10_000

    def each_user(self) -> Iterator[tuple]:
        """id, email, username, password hash, moment"""
        for number in range(1, self.users + 1):
            yield (number, f"user{number}@example.com", f"user{number}", HASH, _moment(number))

    def each_post(self) -> Iterator[tuple]:
        """id, owner's id, title, content, moment"""
        chance = random.Random(1)
        words, weights = _vocabulary()
        sentences = [
            " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(6, 14)))
            .capitalize() + "."
            for _ in range(20_000)
        ]
        for number in range(1, self.posts + 1):
            title = chance.choices(words, cum_weights=weights, k=chance.randint(3, 7))
            if number % 100 == 37:
                title.insert(1, RARE)
            yield (
                number,
                chance.randint(1, self.users),
                " ".join(title).capitalize(),
                " ".join(chance.choices(sentences, k=chance.randint(3, 8))),
                _moment(86_400 + number * 60),
            )

    @cached_property
    def votes_of(self) -> list[int]:
        """The vote count of each post; few posts have many. Index 0 is unused."""
        chance = random.Random(2)
        last = self.posts - NEWEST
        newest = [sum((post + user) % 3 == 0 for user in range(1, READERS + 1))
                  for post in range(last + 1, self.posts + 1)]
        shares = list(accumulate(min(chance.paretovariate(1.3), 50.0) for _ in range(last)))
        total = max(0, self.votes - sum(newest))
        cumulated = [0, *(int(share * total / shares[-1]) for share in shares)]
        cumulated[-1] = total
        return [0, *(after - before for before, after in pairwise(cumulated)), *newest]

    def each_vote(self) -> Iterator[tuple]:
        """post's id, user's id, moment; sorted by post"""
        chance = random.Random(5)
        others = self.users - READERS
        last = self.posts - NEWEST
        for post in range(1, self.posts + 1):
            moment = _moment(86_400 + post * 60 + 30)
            if post > last:
                voters = (user for user in range(1, READERS + 1) if (post + user) % 3 == 0)
            else:
                # Coprime to the number of other users, so no user is drawn twice.
                first, step = chance.randrange(others), chance.choice(_STEPS)
                voters = (READERS + 1 + (first + turn * step) % others
                          for turn in range(self.votes_of[post]))
            for user in voters:
                yield (post, user, moment)


def _vocabulary() -> tuple[list[str], list[float]]:
    """8,000 words and their cumulated frequencies: the nth occurs 1/n times as often as the first."""
    chance = random.Random(3)
    words: dict[str, None] = {}
    while len(words) < 8_000:
        count = chance.choice((1, 2, 2, 3, 3, 4))
        word = "".join(
            chance.choice("bcdfghklmnprstvw") + chance.choice(("a", "e", "i", "o", "u", "an", "er"))
            for _ in range(count))
        words[word] = None
    total = 0.0
    weights = []
    for rank in range(1, len(words) + 1):
        total += 1 / rank
        weights.append(total)
    return list(words), weights


def uncommon(count: int) -> list[str]:
    """`count` words, each in about 1 % of the posts. None is a prefix of another."""
    words, weights = _vocabulary()
    # A post has about 60 words.
    rank = int(60 / 0.01 / weights[-1])
    unique = [word for word in words[rank - 2 * count:rank + 2 * count]
             if sum(other.startswith(word) for other in words) == 1]
    return unique[:count]

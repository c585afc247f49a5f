"""Where users come from. Each question takes a moment, as it would over a network. Leave this file as it is."""

import time

SECONDS = 0.2

USERS = {
    1: {"name": "Ines", "likes": [3, 0, 12], "friends": ["Jo", "Kim"]},
    2: {"name": "Omar", "likes": [], "friends": ["Jo"]},
    3: {"name": "Wen", "likes": [7], "friends": []},
}


def user(user_id):
    """Return `{"id": …, "name": …}`. Raises LookupError for a user that there is not."""
    return {"id": user_id, "name": _found(user_id)["name"]}


def posts(user_id):
    """Return the posts, each `{"likes": …}`."""
    return [{"likes": likes} for likes in _found(user_id)["likes"]]


def friends(user_id):
    """Return the names of the friends."""
    return list(_found(user_id)["friends"])


def _found(user_id):
    time.sleep(SECONDS)
    if user_id not in USERS:
        raise LookupError(f"there is no user {user_id}")
    return USERS[user_id]

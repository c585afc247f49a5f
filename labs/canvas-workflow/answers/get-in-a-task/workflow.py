"""A wrong answer: a task waits for another one, which Celery refuses."""

import people
from celery import Celery, chord, group

STORE = "redis://localhost:6379/0"

app = Celery("workflow", broker=STORE, backend=STORE)


@app.task
def fetch_user_data(user_id):
    """Return what `people.user` says."""
    return people.user(user_id)


@app.task
def fetch_user_posts(user_id):
    """Return what `people.posts` says."""
    return people.posts(user_id)


@app.task
def fetch_user_friends(user_id):
    """Return what `people.friends` says."""
    return people.friends(user_id)


@app.task
def process_user_data(fetched):
    """Return what was fetched as one mapping."""
    user, posts, friends = fetched
    likes = sum(post["likes"] for post in posts)
    return {"user_id": user["id"], "name": user["name"], "posts": len(posts), "likes": likes, "friends": len(friends)}


@app.task
def calculate_scores(processed):
    """Return the mapping with the scores in it."""
    activity, reach = 2 * processed["posts"] + processed["likes"], 5 * processed["friends"]
    return {**processed, "scores": {"activity": activity, "reach": reach, "total": activity + reach}}


@app.task
def generate_report(processed):
    """Return the report."""
    scored = calculate_scores.delay(processed).get(timeout=5)
    return {key: scored[key] for key in ("user_id", "name", "posts", "friends", "scores")}


def _workflow(user_id):
    fetches = [fetch_user_data.s(user_id), fetch_user_posts.s(user_id), fetch_user_friends.s(user_id)]
    return chord(fetches, process_user_data.s()) | generate_report.s()


def create_user_analysis_workflow(user_id):
    """Start the workflow of one user, and return the result of its last task."""
    return _workflow(user_id).apply_async()


def batch_analyze_users(user_ids):
    """Start the workflows of several users side by side, and return their results as a group."""
    return group(_workflow(user_id) for user_id in user_ids).apply_async()

"""A wrong answer: the right report, made by one task that calls the others as plain functions."""

import people
from celery import Celery, group

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
def generate_report(scored):
    """Return the report."""
    return {key: scored[key] for key in ("user_id", "name", "posts", "friends", "scores")}


@app.task
def analyse(user_id):
    """Return the report of one user."""
    fetched = [fetch_user_data(user_id), fetch_user_posts(user_id), fetch_user_friends(user_id)]
    return generate_report(calculate_scores(process_user_data(fetched)))


def create_user_analysis_workflow(user_id):
    """Start the workflow of one user, and return the result of its last task."""
    return analyse.delay(user_id)


def batch_analyze_users(user_ids):
    """Start the workflows of several users side by side, and return their results as a group."""
    return group(analyse.s(user_id) for user_id in user_ids).apply_async()

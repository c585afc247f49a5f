"""A report on a user, made by six tasks."""

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("workflow", broker=STORE, backend=STORE)


@app.task
def fetch_user_data(user_id):
    """Return what `people.user` says."""


@app.task
def fetch_user_posts(user_id):
    """Return what `people.posts` says."""


@app.task
def fetch_user_friends(user_id):
    """Return what `people.friends` says."""


@app.task
def process_user_data(fetched):
    """Return what was fetched as one mapping."""


@app.task
def calculate_scores(processed):
    """Return the mapping with the scores in it."""


@app.task
def generate_report(scored):
    """Return the report."""


def create_user_analysis_workflow(user_id):
    """Start the workflow of one user, and return the result of its last task."""


def batch_analyze_users(user_ids):
    """Start the workflows of several users side by side, and return their results as a group."""

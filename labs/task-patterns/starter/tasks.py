"""Three patterns: progress, retries, batches."""

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


@app.task(bind=True)
def process_upload(self, file_path):
    """Read the file, and let a caller see how far it is."""


@app.task(bind=True, max_retries=3)
def fetch_api_data(self, url):
    """Return the JSON that the address answers; ask again what may be different then."""


@app.task(bind=True)
def batch_process_items(self, items, batch_size=10):
    """Return the results of all items, worked on in batches side by side."""

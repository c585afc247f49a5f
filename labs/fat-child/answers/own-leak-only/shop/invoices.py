"""A wrong answer: our own leak is mended, and nothing is done about anybody else's."""

from shop import library
from shop.app import app


@app.task
def draw_invoice(order_id, lines):
    """Draw an invoice; how many characters it has."""
    page = library.render(order_id, lines)
    return len(page)

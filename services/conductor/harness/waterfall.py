"""The spans of an order, or a request, as lines from the top down: what lay in what, when, and what came of it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conductor.harness.traces import Span


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a waterfall: how deep it lies, and where it begins, in seconds since the first span."""

    span: Span
    depth: int
    offset: float


def waterfall(spans: Sequence[Span], attribute: str, value: str, *, messages: bool = True) -> list[Line]:
    """The lines from the top down: each trace by its beginning, each span under its parent.

    `attribute` is what names an order or request, `value` the one that is meant. A message carries commands of many; of what was done for
    it, only what names this one or names none is shown, and without `messages` only the traces that name it.
    """
    mine = [span for span in spans if span.attributes.get(attribute, value) == value]
    if not messages:
        named = {span.trace for span in mine if attribute in span.attributes}
        mine = [span for span in mine if span.trace in named]
    if not mine:
        return []
    began = min(span.began for span in mine)
    known = {(span.trace, span.id) for span in mine}
    children: dict[tuple[str, str], list[Span]] = {}
    roots = []
    for span in sorted(mine, key=lambda each: (each.began, each.began + each.seconds, each.id)):
        if (span.trace, span.parent) in known:
            children.setdefault((span.trace, span.parent), []).append(span)
        else:
            roots.append(span)

    def down(span: Span, depth: int) -> Iterator[Line]:
        yield Line(span, depth, span.began - began)
        for child in children.get((span.trace, span.id), []):
            yield from down(child, depth + 1)

    return [line for root in roots for line in down(root, 0)]


def waits(span: Span) -> bool:
    """Whether nothing was done in it."""
    return span.name.startswith("wait ")


def note(span: Span) -> str:
    """What came of it, in a few words: the attempt from the second on, the outcome unless it is the usual one, what an answer was."""
    told = span.attributes
    words = []
    if told.get("attempt", "1") != "1":
        words.append(f"attempt {told['attempt']}")
    words += [told[name] for name in ("outcome", "order.result") if told.get(name, "done") not in ("done", "succeeded")]
    if "retry.after_seconds" in told:
        words.append(f"again in {float(told['retry.after_seconds']):.1f} s ({told.get('retry.reason', '')})")
    words += [told["http.response.status_code"]] if "http.response.status_code" in told else []
    words += [f"published after {at - span.began:.3f} s" for name, at, _ in span.events if name == "published"]
    if span.failed:
        words.append(told.get("status") or told.get("error.type", "failed"))
    return ", ".join(words)

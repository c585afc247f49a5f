"""A waterfall as one page of HTML that needs nothing else: no script, no network. Pure."""

from collections.abc import Sequence
from html import escape
from string import Template

from conductor.harness.waterfall import Line, note, waits

_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>$title</title>
<style>
  body { font: 13px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1b1f24; background: #fff }
  h1 { font-size: 1.1rem; margin: 0 } p { margin: .2rem 0 1rem; color: #57606a }
  table { border-collapse: collapse; width: 100%; table-layout: fixed }
  td, th { padding: 1px .6rem 1px 0; text-align: left; vertical-align: middle }
  td, th { white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
  th { color: #57606a; font-weight: 500; border-bottom: 1px solid #d0d7de } tr:hover { background: #f6f8fa }
  tr.trace td { border-top: 1px solid #d0d7de } .dim { color: #57606a }
  .n { text-align: right; font-variant-numeric: tabular-nums }
  .bar { position: relative; height: 11px }
  .bar i { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 2px; background: #2da44e }
  .wait .bar i { background: repeating-linear-gradient(45deg, #d0d7de 0 3px, #eaeef2 3px 6px) } .red .bar i { background: #cf222e }
  .red td { color: #cf222e } .wait td { color: #57606a }
</style>
<h1>$title</h1><p>$summary</p>
<table>
<colgroup><col style="width:24rem"><col style="width:7rem"><col style="width:26%">
<col style="width:5rem"><col style="width:6rem"><col></colgroup>
<thead><tr><th>span<th>pool<th>outcome<th class="n">after, s<th class="n">took, ms<th>$whole s</tr></thead>
<tbody>
$rows
</tbody></table></html>
""")

_ROW = Template(
    '<tr class="$kind" title="$told"><td style="padding-left:${indent}rem">$name<td class="dim">$pool<td title="$note">$note'
    '<td class="n">$after<td class="n">$took<td><div class="bar"><i style="left:$left%;width:$width%"></i></div></tr>'
)


def page(lines: Sequence[Line], title: str) -> str:
    """The page; `lines` is not empty."""
    whole = max(line.offset + line.span.seconds for line in lines) or 1e-9
    failed = sum(line.span.failed for line in lines)
    summary = f"{whole:.2f} s, {len(lines)} spans in {len({line.span.trace for line in lines})} traces, {failed} of them failed"
    rows = "\n".join(_row(line, whole) for line in lines)
    return _PAGE.substitute(title=escape(title), summary=summary, whole=f"{whole:.2f}", rows=rows)


def _row(line: Line, whole: float) -> str:
    span = line.span
    kinds = [name for name, holds in (("trace", not line.depth), ("wait", waits(span)), ("red", span.failed)) if holds]
    told = {"trace": span.trace, "span": span.id, **span.attributes}
    return _ROW.substitute(
        kind=" ".join(kinds),
        told=escape("\n".join(f"{name}: {value}" for name, value in told.items())),
        indent=1.2 * line.depth,
        name=escape(span.name),
        pool=escape(span.pool),
        note=escape(note(span)),
        after=f"{line.offset:.3f}",
        took=f"{span.seconds * 1000:.1f}",
        left=f"{line.offset / whole * 100:.2f}",
        width=f"{span.seconds / whole * 100:.2f}",
    )

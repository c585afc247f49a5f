"""Opens and closes the symbols of a shard by the market's sessions. Called by the clock; a change of phase may be said twice.

What was said last is kept in a file, so that a phase that a person has set in the meantime (a halt) stays until the next open or close.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from trading.adapters.session_store import SqlSessionStore
from trading.domain.sessions import moment
from trading.domain.terms import Input


def follow(store: SqlSessionStore, now_us: int, kept: Path, symbols: Iterable[int], say: Callable[..., object]) -> bool:
    """Say the phase of each symbol when it is another than the one that was said last; whether it was.

    `say` takes an input's fields, see trading.domain.inputs. CLOSED expires day orders. Raises Transient, sessions.Unwritten, and what
    `say` raises, after which all is said again.
    """
    stands = moment(store.near(now_us), now_us)
    told = f"{stands.day} {int(stands.phase)}"
    if kept.exists() and kept.read_text() == told:
        return False
    for symbol in symbols:
        say(int(Input.PHASE), symbol, int(stands.phase))
    draft = kept.with_name(f"{kept.name}.draft")
    draft.write_text(told)
    draft.rename(kept)
    return True

"""The routes that read counters, for analysts. Times are milliseconds since 1970-01-01 UTC; a range includes its begin, not its end."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from analytics.api.access import Analyst
from analytics.usecases.recommendations import Recommendations
from analytics.usecases.views import Page, Range, TrendViews, Views, asked_range

FromMs = Annotated[int | None, Query(ge=0, lt=2**42, description="Begin of the range, inclusive.")]
ToMs = Annotated[int | None, Query(ge=0, lt=2**42, description="End of the range, exclusive.")]
Day = Annotated[
    date | None, Query(description="A day instead of a range; it has 23 or 25 hours where clocks are changed.")
]
Zone = Annotated[str | None, Query(max_length=64, description="Whose day, for example Asia/Kathmandu; UTC without it.")]
Limit = Annotated[int, Query(ge=1, le=3000, description="Most minutes or hours of the answer.")]
AfterMs = Annotated[
    int, Query(ge=-1, lt=2**42, description="Only minutes or hours after this one: next_after_ms of the page before.")
]
Id = Annotated[str, Path(min_length=1, max_length=64)]


async def _range(from_ms: FromMs = None, to_ms: ToMs = None, day: Day = None, zone: Zone = None) -> Range:
    return asked_range(from_ms, to_ms, day, zone)


async def _page(limit: Limit = 3000, after_ms: AfterMs = -1) -> Page:
    return Page(limit, after_ms)


Asked = Annotated[Range, Depends(_range)]
Paged = Annotated[Page, Depends(_page)]


def routes(views: Views, trending: TrendViews, recommendations: Recommendations) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["counters"])

    @router.get("/contents/{content}")
    async def content(content: Id, asked: Asked, page: Paged, _: Analyst) -> dict[str, Any]:
        return await views.content(content, asked, page)

    @router.get("/users/{user}")
    async def user(user: Id, asked: Asked, page: Paged, _: Analyst) -> dict[str, Any]:
        return await views.user(user, asked, page)

    @router.get("/users/{user}/recommendations")
    async def recommended(user: Id, _: Analyst, limit: Annotated[int, Query(ge=1, le=50)] = 10) -> dict[str, Any]:
        return await recommendations.of(user, limit)

    @router.get("/totals")
    async def totals(asked: Asked, page: Paged, _: Analyst) -> dict[str, Any]:
        return await views.totals(asked, page)

    @router.get("/trends")
    async def trends(
        _: Analyst,
        of: Literal["contents", "topics"] = "contents",
        window: Literal["5m", "1h", "24h"] = "5m",
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
    ) -> dict[str, Any]:
        return await trending.trends(of, window, limit)

    @router.get("/freshness")
    async def freshness(_: Analyst) -> dict[str, Any]:
        return await views.freshness()

    return router

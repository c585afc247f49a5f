"""The routes that read counters, for analysts. Times are milliseconds since 1970-01-01 UTC; a range includes its begin, not its end."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from analytics.api.access import Analyst
from analytics.usecases.recommendations import Recommendations
from analytics.usecases.views import Range, TrendViews, Views

FromMs = Annotated[int, Query(ge=0, lt=2**42, description="Begin of the range, inclusive.")]
ToMs = Annotated[int, Query(ge=0, lt=2**42, description="End of the range, exclusive.")]
Id = Annotated[str, Path(min_length=1, max_length=64)]


def routes(views: Views, trending: TrendViews, recommendations: Recommendations) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["counters"])

    @router.get("/contents/{content}")
    async def content(content: Id, from_ms: FromMs, to_ms: ToMs, _: Analyst) -> dict[str, Any]:
        return await views.content(content, Range(from_ms, to_ms))

    @router.get("/users/{user}")
    async def user(user: Id, from_ms: FromMs, to_ms: ToMs, _: Analyst) -> dict[str, Any]:
        return await views.user(user, Range(from_ms, to_ms))

    @router.get("/users/{user}/recommendations")
    async def recommended(user: Id, _: Analyst, limit: Annotated[int, Query(ge=1, le=50)] = 10) -> dict[str, Any]:
        return await recommendations.of(user, limit)

    @router.get("/totals")
    async def totals(from_ms: FromMs, to_ms: ToMs, _: Analyst) -> dict[str, Any]:
        return await views.totals(Range(from_ms, to_ms))

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

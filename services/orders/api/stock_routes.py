"""/stock and /products: levels for everybody, changes for operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, Response

from chassis.http.problems import documented
from chassis.http.schema import takes
from chassis.http.threads import Threads
from orders.api.access import Known, Operator
from orders.api.bodies import SKU, ProductBody, RestockBody, body_for_operators
from orders.api.stock_answers import LevelBody, LevelsBody, level_body
from orders.domain.order import Product
from orders.usecases.catalogue import Catalogue

SkuPath = Annotated[str, Path(pattern=SKU)]
Arrival = Annotated[RestockBody, Depends(body_for_operators(RestockBody))]
Described = Annotated[ProductBody, Depends(body_for_operators(ProductBody))]


def routes(catalogue: Catalogue, threads: Threads) -> APIRouter:
    """The routes, bound to their use cases."""
    router = APIRouter(tags=["stock"])

    @router.get("/stock", responses=documented(401, 422, 503))
    async def list_stock(
        _: Known,
        after: Annotated[str | None, Query(pattern=SKU, description="The last SKU of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> LevelsBody:
        found = await threads.run(catalogue.levels, after=after or "", limit=limit)
        page = [level_body(level) for level in found]
        return LevelsBody(products=page, next=page[-1].sku if len(page) == limit else None)

    @router.get("/stock/{sku}", responses=documented(401, 404, 422, 503))
    async def read_stock(_: Known, sku: SkuPath) -> LevelBody:
        return level_body(await threads.run(catalogue.level, sku))

    @router.post(
        "/stock/{sku}",
        responses=documented(401, 403, 404, 415, 422, 503),
        openapi_extra=takes(RestockBody),
    )
    async def restock(_: Operator, sku: SkuPath, arrival: Arrival) -> LevelBody:
        return level_body(await threads.run(catalogue.restock, sku, arrival.add, arrival.delivery_id))

    @router.put(
        "/products/{sku}",
        response_model=LevelBody,
        responses={
            201: {"model": LevelBody, "description": "Added."},
            **documented(401, 403, 415, 422, 503),
        },
        openapi_extra=takes(ProductBody),
    )
    async def put_product(_: Operator, sku: SkuPath, described: Described) -> Response:
        product = Product(sku, described.name, described.price_minor, described.currency)
        added = await threads.run(catalogue.put, product)
        level = level_body(await threads.run(catalogue.level, sku))
        return JSONResponse(level.model_dump(), 201 if added else 200)

    return router

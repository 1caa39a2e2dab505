"""The hello app in FastAPI."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse

router = APIRouter()


@router.get("/hello/{name}")
async def hello(name: str) -> PlainTextResponse:
    """Greet."""
    return PlainTextResponse(f"Hello, {name}!")


# No schema, hence no pages of documentation either; and an unknown path is a 404, never a redirect.
app = FastAPI(openapi_url=None, redirect_slashes=False)
app.include_router(router)

"""An answer on its way to a browser, by EventSource and by WebSocket, with a stop button.

`python app.py` asks Claude if ANTHROPIC_API_KEY is set, and plays a recorded answer if not.
"""

import os
from pathlib import Path
from typing import Any

import anthropic
import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from claude_stream import SSE_HEADERS, StreamError, open_stream, to_ndjson, to_sse
from claude_stream.testing import Recording, async_replay_client, message_events

THINKING = {"type": "thinking", "thinking": "They want to see a stream. A few lines will do.", "signature": "c2ln"}
RECORDED = Recording.from_events(message_events(THINKING, "Words arrive one by one, and you may stop them. " * 9))


class Relay(StreamingResponse):
    """A response that closes its stream, also where the browser is gone while nothing is read: nobody else would."""

    def __init__(self, stream: Any) -> None:
        super().__init__(to_sse(stream.parts()), headers=SSE_HEADERS)
        self.stream = stream

    async def __call__(self, *asgi: Any) -> None:  # noqa: D102 - Starlette's
        async with self.stream:
            await super().__call__(*asgi)


async def gone(receive: Any, scope: anyio.CancelScope) -> None:
    """End a scope when the browser leaves, or says something more."""
    while (await receive())["type"] == "http.request":  # the body, which is empty
        pass
    scope.cancel()


def make_app(client: Any) -> Starlette:
    """Return the application over a client."""

    def ask(question: str) -> Any:
        messages = [{"role": "user", "content": question}]
        return open_stream(client, model="claude-sonnet-5-5", max_tokens=4096, messages=messages, idle_timeout=60)

    async def events(request: Request) -> Response:
        answer: Response = Response(status_code=204)
        if "last-event-id" in request.headers:  # the browser asks again by itself: the answer is over, and was paid for
            return answer
        async with anyio.create_task_group() as tasks:  # while it opens, only we can notice that the browser leaves
            tasks.start_soon(gone, request.receive, tasks.cancel_scope)
            try:
                answer = Relay(await ask(request.query_params["question"]).open())
            except anthropic.APIError:  # the API's own status, 401 say, is not for the browser
                answer = JSONResponse({"reason": "Claude does not answer"}, status_code=503)
            tasks.cancel_scope.cancel()
        return answer

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        question = await websocket.receive_text()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gone, websocket.receive, tasks.cancel_scope)
            try:
                async with ask(question) as stream:
                    async for line in to_ndjson(stream.parts()):
                        await websocket.send_text(line.decode())
            except anthropic.APIError as error:
                if not isinstance(error, StreamError):  # whose line is sent
                    await websocket.send_json({"type": "error", "error": {"message": "Claude does not answer"}})
            tasks.cancel_scope.cancel()

    page = Route("/", lambda _: FileResponse(Path(__file__).with_name("page.html")))
    return Starlette(routes=[page, Route("/events", events), WebSocketRoute("/socket", socket)])


if __name__ == "__main__":
    recorded = async_replay_client(*[RECORDED.paced(0.03)] * 99)
    uvicorn.run(make_app(anthropic.AsyncAnthropic() if "ANTHROPIC_API_KEY" in os.environ else recorded))

"""A small HTTP proxy between a client and an S3 server, for tests: it delays, drops, refuses and holds
back requests, as a function of the test says. It passes on what it took also when its client has gone:
that is how a commit arrives late.

    def rule(request):                       # for each request, in the proxy's thread
        if request.kind == "commit":
            return Fate(hold_s=8)
    with Proxy("http://127.0.0.1:7480", rule) as proxy:
        run(..., env={"AWS_ENDPOINT_URL_S3": proxy.url})
        proxy.wait_idle()
        proxy.seen                           # requests, with the server's answer in .status
"""
import asyncio
import dataclasses
import socket
import struct
import threading
import time
import urllib.parse

KINDS = {".parquet": "data", ".ref": "ref", ".commit": "commit"}
HEAD_MAX = 64 * 1024
BODY_MAX = 256 * 1024 * 1024


@dataclasses.dataclass
class Fate:
    """What becomes of a request; by default it is passed on."""
    hold_s: float = 0.0          # before it is passed on
    refuse: int = 0              # this status instead; it is not passed on
    lose: bool = False           # the connection is reset; it is not passed on
    lose_answer: bool = False    # it is passed on, then the connection is reset
    answer_hold_s: float = 0.0   # before its answer goes back
    trickle_s: float = 0.0       # how long its answer takes, in pieces
    cut_answer: bool = False     # half of the answer goes back, then the connection is reset
    before: object = None        # called before it is passed on, before the hold
    after: object = None         # called when the server has answered, before the answer goes back


@dataclasses.dataclass
class Request:
    """One request as it came."""
    method: str
    target: str
    key: str
    kind: str                    # data, ref, commit, list, other
    arrived: float               # time.monotonic
    status: int = 0              # the server's answer; 0 = there was none
    answered: float = 0.0
    held: bool = False


def kind_of(target):
    """The key without the bucket, and what it is."""
    path, _, query = target.partition("?")
    key = urllib.parse.unquote(path).lstrip("/").partition("/")[2]
    if "list-type=" in query:
        return key, "list"
    for suffix, kind in KINDS.items():
        if key.endswith(suffix):
            return key, kind
    return key, "other"


class Proxy:
    """Listens on a free port of 127.0.0.1."""

    def __init__(self, upstream, rule):
        parts = urllib.parse.urlsplit(upstream)
        assert parts.scheme == "http", "the proxy speaks plain HTTP"
        self.host, self.port = parts.hostname, parts.port
        self.rule = rule
        self.seen = []
        self.failures = []
        self._busy = 0
        self._tasks = set()  # the loop itself holds them weakly
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._own = 0

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(30), "the proxy did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def url(self):
        """The endpoint to give to clients."""
        return f"http://127.0.0.1:{self._own}"

    def wait_idle(self, limit_s=60):
        """Until everything that came was passed on or dropped."""
        end = time.monotonic() + limit_s
        while self._busy > 0:
            assert time.monotonic() < end, "the proxy still holds requests"
            time.sleep(0.02)

    def of_kind(self, kind, method="PUT"):
        """Requests of one kind so far."""
        return [r for r in self.seen if r.kind == kind and r.method == method]

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_MAX))
        self._own = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=5))
        self._loop.close()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        upstream = None
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    break
                self._busy += 1
                try:
                    keep, upstream = await self._one(head, reader, writer, upstream)
                finally:
                    self._busy -= 1
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        except asyncio.CancelledError:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(repr(error))
        finally:
            for stream in (writer, upstream[1] if upstream else None):
                if stream is not None:
                    stream.close()

    async def _one(self, head, reader, writer, upstream):
        """One request and its answer: whether the connection lives on, and the way up."""
        line, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        length = int(header(fields, "content-length") or 0)
        assert length <= BODY_MAX
        if (header(fields, "expect") or "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(length)
        key, kind = kind_of(target)
        request = Request(method, target, key, kind, time.monotonic())
        self.seen.append(request)
        fate = self.rule(request) or Fate()
        if fate.before is not None:
            fate.before()
        if fate.hold_s > 0:
            request.held = True
            await asyncio.sleep(fate.hold_s)
        if fate.lose:
            reset(writer)
            return False, upstream
        if fate.refuse:
            writer.write(f"HTTP/1.1 {fate.refuse} Made Up\r\nContent-Length: 0\r\n\r\n".encode())
            return True, upstream
        if upstream is None or fate.hold_s > 1: # an idle way may have been closed
            if upstream is not None:
                upstream[1].close()
            upstream = await asyncio.open_connection(self.host, self.port, limit=HEAD_MAX)
        kept = [f for f in fields if f and not f.lower().startswith("expect:")]
        upstream[1].write("\r\n".join([line, *kept, "", ""]).encode("latin-1") + body)
        answer, status = await read_answer(upstream[0], method)
        request.status, request.answered = status, time.monotonic()
        if fate.after is not None:
            fate.after()
        if fate.answer_hold_s > 0:
            await asyncio.sleep(fate.answer_hold_s)
        if fate.lose_answer:
            reset(writer)
            return False, upstream
        if fate.cut_answer:
            writer.write(answer[:len(answer) // 2])
            await writer.drain()
            reset(writer)
            return False, upstream
        pieces = 8 if fate.trickle_s > 0 else 1
        size = -(-len(answer) // pieces)
        for i in range(0, len(answer), size):
            writer.write(answer[i:i + size])
            await writer.drain()
            if pieces > 1:
                await asyncio.sleep(fate.trickle_s / pieces)
        return b"connection: close" not in answer[:2048].lower(), upstream


def header(fields, name):
    """A header's value, or None."""
    for field in fields:
        found, _, value = field.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return None


async def read_answer(reader, method):
    """A whole answer, and its status."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        status = int(line.split(" ", 2)[1])
        if status >= 200:
            break
    if method == "HEAD" or status in (204, 304):
        return head, status
    if "chunked" in (header(fields, "transfer-encoding") or "").lower():
        parts = [head]
        while True:
            size = await reader.readuntil(b"\r\n")
            parts.append(size)
            parts.append(await reader.readexactly(int(size.split(b";")[0], 16) + 2))
            if int(size.split(b";")[0], 16) == 0:
                return b"".join(parts), status
    return head + await reader.readexactly(int(header(fields, "content-length") or 0)), status


def reset(writer):
    """The peer sees a reset instead of an answer."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

"""A bucket of S3 that takes its time to answer, and hardly any of the processor's.

moto, the tests' server, takes about 5 ms of processor time for each answer, which would
be what one measures.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from aiohttp import web

_DATE = "2026-01-01T00:00:00.000Z"
_LISTED = "<Contents><Key>{}</Key><LastModified>{}</LastModified><Size>{}</Size></Contents>"


@contextlib.contextmanager
def slow_bucket(folder: Path, latency: float) -> Iterator[str]:
    """Serve the files of a folder, at most 1,000, each answer after so many seconds."""
    command = [sys.executable, __file__, str(folder), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{process.stdout.readline().strip()}",
                "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
            }  # fmt: skip
            yield "s3://bucket"
        finally:
            process.kill()


async def serve(folder: Path, latency: float) -> None:
    """Answer S3's ListObjectsV2 and GetObject, until killed."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(latency)
        key = request.path.removeprefix("/bucket").strip("/")
        if not key:
            listed = (_LISTED.format(escape(k), _DATE, len(c)) for k, c in contents.items())
            page = f"<ListBucketResult>{''.join(listed)}</ListBucketResult>"
            return web.Response(text=page, content_type="application/xml")
        if key in contents:
            return web.Response(body=contents[key])
        return web.Response(status=404)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))

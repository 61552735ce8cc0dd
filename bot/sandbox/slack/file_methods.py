"""Uploading a file in Slack's three steps: ask for an address, send the bytes there, complete.

Source: Slack docs: messaging/working-with-files, reference/methods/files.getUploadURLExternal.
"""

from __future__ import annotations

from aiohttp import web

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.api_methods import Method, Site, need
from bot.sandbox.slack.composition import Problem
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.workspace import Workspace


def _upload_url(site: Site, params: Json) -> Json:
    need(params, "filename", "length")
    try:
        length = int(params["length"])
    except ValueError:
        raise ApiError("invalid_arguments", [Problem("/length", "must be an integer")]) from None
    if length <= 0:
        raise ApiError("invalid_arguments", [Problem("/length", "must be greater than 0")])
    ws = site.workspace
    file_id = ws.new_id("F")
    ws.files[file_id] = {"id": file_id, "name": str(params["filename"]), "size": length, "content": None}
    return {"upload_url": f"{ws.base_url}/upload/{file_id}", "file_id": file_id}


def _complete(site: Site, params: Json) -> Json:
    need(params, "files")
    ws, done = site.workspace, []
    for wanted in params["files"]:
        file = ws.files.get(str(wanted.get("id")))
        if file is None or file["content"] is None:
            raise ApiError("file_not_found")
        file["title"] = wanted.get("title") or file["name"]
        done.append({name: file[name] for name in ("id", "name", "title", "size")})
    if params.get("channel_id"):
        text = {"text": params["initial_comment"]} if params.get("initial_comment") else {}
        thread = {"thread_ts": params["thread_ts"]} if params.get("thread_ts") else {}
        channel = site.posting.target(params["channel_id"])
        if not channel.bot_is_member:
            raise ApiError("not_in_channel")
        site.posting.post(channel, {"files": done, **text, **thread})
    return {"files": done}


async def receive_upload(workspace: Workspace, request: web.Request) -> web.Response:
    """Take the bytes of a file; plain text "OK - n" as Slack answers, 400 for a wrong length."""
    file = workspace.files.get(request.match_info["file_id"])
    if file is None:
        return web.Response(status=404, text="not found")
    if request.content_type.startswith("multipart/"):
        part = await (await request.multipart()).next()
        content = (
            bytes(await part.read())
            if part is not None and not isinstance(part, str) and hasattr(part, "read")
            else b""
        )
    else:
        content = await request.read()
    if len(content) != file["size"]:
        workspace.violate(f"upload of {file['name']}: {len(content)} bytes, announced {file['size']}")
        return web.Response(status=400, text="length mismatch")
    file["content"] = content
    return web.Response(text=f"OK - {len(content)}")


METHODS = {
    "files.getUploadURLExternal": Method(_upload_url, ("files:write",)),
    "files.completeUploadExternal": Method(_complete, ("files:write",)),
}

"""The Web API's views.* methods."""

from __future__ import annotations

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.api_methods import Method, Site, need
from bot.sandbox.slack.records import Json, View


def _open(site: Site, params: Json) -> Json:
    need(params, "trigger_id", "view")
    user, _ = site.triggers.check(params["trigger_id"])
    view = site.views.open(user, params["view"])
    site.triggers.use(params["trigger_id"])
    return _shown(site, view)


def _push(site: Site, params: Json) -> Json:
    need(params, "trigger_id", "view")
    user, from_view = site.triggers.check(params["trigger_id"])
    if from_view is None:
        raise ApiError("invalid_trigger_id")
    view = site.views.push(user, params["view"])
    site.triggers.use(params["trigger_id"])
    return _shown(site, view)


def _update(site: Site, params: Json) -> Json:
    need(params, "view")
    if bool(params.get("view_id")) == bool(params.get("external_id")):
        raise ApiError("invalid_arguments")
    if params.get("view_id"):
        view = site.workspace.views.get(str(params["view_id"]))
    else:
        view = site.views.by_external_id(params["external_id"])
    if view is None or not view.is_open:
        raise ApiError("not_found")
    site.views.insist_hash(view, params.get("hash"))
    return _shown(site, site.views.update(view, params["view"]))


def _publish(site: Site, params: Json) -> Json:
    need(params, "user_id", "view")
    member = site.workspace.members.get(str(params["user_id"]))
    if member is None or member.deleted or member.is_bot:
        raise ApiError("user_not_found")
    return _shown(site, site.views.publish(member.id, params["view"], params.get("hash")))


def _shown(site: Site, view: View) -> Json:
    return {"view": site.workspace.view_payload(view)}


METHODS = {
    "views.open": Method(_open),
    "views.push": Method(_push),
    "views.update": Method(_update),
    "views.publish": Method(_publish),
}

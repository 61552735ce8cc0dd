"""Opening, pushing, updating, publishing and closing views as Slack does, whoever asks: a method or an answer.

Source: Slack docs: surfaces/modals, reference/methods/views.open, views.push, views.update, views.publish.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.api_error import ApiError
from bot.sandbox.slack.block_kit import check_view, view_is_too_large
from bot.sandbox.slack.input_state import initial_values, normalise
from bot.sandbox.slack.records import Json, View
from bot.sandbox.slack.workspace import Workspace

STACK_MOST = 3


class ViewStack:
    """The modals and Homes of all people."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def insist_valid(self, definition: Any, kind: str, ours: View | None = None) -> None:
        """Refuse a view that Slack would refuse.

        Raises:
            ApiError: view_too_large, invalid_arguments (with JSON pointers) or duplicate_external_id.
        """
        if view_is_too_large(definition):
            raise ApiError("view_too_large")
        problems = check_view(definition, kind)
        if problems:
            raise ApiError("invalid_arguments", problems)
        external_id = definition.get("external_id")
        holder = self.by_external_id(external_id) if external_id else None
        if holder is not None and holder is not ours:
            raise ApiError("duplicate_external_id")

    def by_external_id(self, external_id: object) -> View | None:
        views = self._workspace.views.values()
        return next((v for v in views if v.is_open and v.definition.get("external_id") == external_id), None)

    def open(self, user_id: str, definition: Json) -> View:
        """Show a modal as the first of a new stack; what was open before is gone."""
        self.insist_valid(definition, "modal")
        self.clear(user_id)
        return self._put(user_id, definition, None)

    def push(self, user_id: str, definition: Json) -> View:
        """Show a modal on top of the stack.

        Raises:
            ApiError: push_limit_reached where three are open; not_found where none is.
        """
        stack = self._workspace.stack(user_id)
        if not stack:
            raise ApiError("not_found")
        if len(stack) >= STACK_MOST:
            raise ApiError("push_limit_reached")
        self.insist_valid(definition, "modal")
        return self._put(user_id, definition, stack[-1])

    def update(self, view: View, definition: Json) -> View:
        """Replace a view's content; typed values stay where block_id and action_id are unchanged."""
        self.insist_valid(definition, str(view.definition["type"]), ours=view)
        view.definition = definition | {"blocks": normalise(definition["blocks"])}
        view.values = initial_values(view.blocks, view.values)
        view.errors = {}
        view.hash = self._workspace.new_hash()
        self._workspace.changed()
        return view

    def publish(self, user_id: str, definition: Json, wanted_hash: str | None) -> View:
        """Show or replace a person's Home."""
        current = self._workspace.homes.get(user_id)
        self.insist_hash(current, wanted_hash)
        self.insist_valid(definition, "home", ours=current)
        if current is not None:
            return self.update(current, definition)
        view = self._new_view(user_id, definition, None)
        self._workspace.homes[user_id] = view
        self._workspace.changed()
        return view

    def insist_hash(self, view: View | None, wanted: str | None) -> None:
        """Raises ApiError hash_conflict where the view has changed since the caller saw it."""
        if wanted and view is not None and view.hash != wanted:
            raise ApiError("hash_conflict")

    def close_top(self, view: View) -> None:
        """Take one modal off its stack; those above it go with it."""
        stack = self._workspace.stack(view.user)
        while stack and view in stack:
            stack.pop().is_open = False
        self._workspace.changed()

    def clear(self, user_id: str) -> None:
        """Close all modals of a person."""
        for view in self._workspace.stack(user_id):
            view.is_open = False
        self._workspace.stack(user_id).clear()
        self._workspace.changed()

    def _put(self, user_id: str, definition: Json, previous: View | None) -> View:
        view = self._new_view(user_id, definition, previous)
        self._workspace.stack(user_id).append(view)
        self._workspace.changed()
        return view

    def _new_view(self, user_id: str, definition: Json, previous: View | None) -> View:
        blocks = normalise(definition["blocks"])
        view_id = self._workspace.new_id("V")
        view = View(
            id=view_id,
            user=user_id,
            definition=definition | {"blocks": blocks},
            hash=self._workspace.new_hash(),
            root_id=previous.root_id if previous else view_id,
            previous_id=previous.id if previous else None,
            values=initial_values(blocks),
        )
        self._workspace.views[view_id] = view
        return view

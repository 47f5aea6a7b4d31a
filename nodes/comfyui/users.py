"""ComfyUI's users: with --multi-user there are several, and a task belongs to who ran it.

They are told apart, not kept out: ComfyUI asks for no password, and whoever reaches it may say who they are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

HEADER = "Comfy-User"
NOBODY = ""  # whose tasks are those that ran before there were users, or for a program that named none


@dataclass(frozen=True)
class Viewer:
    """Who asks. users: whose tasks are theirs; None: everybody's. administers: whether the settings are theirs too."""

    users: tuple[str, ...] | None = None
    administers: bool = True

    @property
    def user(self) -> str:
        """The user's id, empty where ComfyUI has one."""
        return self.users[0] if self.users else NOBODY

    def owns(self, user_id: str) -> bool:
        """Whether a task of this user is theirs."""
        return self.users is None or user_id in self.users


EVERYBODY = Viewer()


def are_several(server: Any) -> bool:
    """Whether ComfyUI was started with --multi-user: it has the one user "default" without, and never with it."""
    return "default" not in server.user_manager.users


def user_of(server: Any, request: Any) -> str:
    """The user that a request names; raises KeyError for one that ComfyUI does not know."""
    return str(server.user_manager.get_request_user_id(request))


def viewer_of(server: Any, user: str, administrators: Collection[str]) -> Viewer:
    """A known user as who asks. administrators: ids or names; where there are none, the first user is it."""
    known: dict[str, str] = server.user_manager.users
    named = {user, known.get(user, "")}
    administers = bool(named & set(administrators)) if administrators else user == next(iter(known), None)
    return Viewer((user, NOBODY) if administers else (user,), administers)

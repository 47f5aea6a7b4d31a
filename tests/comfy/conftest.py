"""A real ComfyUI for these tests: `comfy` is shared, `comfy_server(…)` is for one test."""

from tests.kit.comfy_fixtures import comfy as comfy
from tests.kit.comfy_fixtures import comfy_server as comfy_server
from tests.kit.comfy_fixtures import session_servers as session_servers
from tests.kit.comfy_fixtures import shared_comfy as shared_comfy

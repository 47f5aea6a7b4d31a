"""A real ComfyUI for these tests: `comfy` is shared, `comfy_server(…)` is for one test."""

from tests.comfy.harness_fixtures import comfy as comfy
from tests.comfy.harness_fixtures import comfy_server as comfy_server
from tests.comfy.harness_fixtures import session_servers as session_servers
from tests.comfy.harness_fixtures import shared_comfy as shared_comfy

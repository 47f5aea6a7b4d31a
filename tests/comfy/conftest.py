"""A real ComfyUI for these tests: `comfy` is shared, `comfy_server(…)` is for one test.

For uploads: `service` over HTTP, and the S3 store `s3`.
"""

from tests.kit.comfy_fixtures import comfy as comfy
from tests.kit.comfy_fixtures import comfy_server as comfy_server
from tests.kit.comfy_fixtures import session_servers as session_servers
from tests.kit.comfy_fixtures import shared_comfy as shared_comfy
from tests.kit.upload_servers import s3 as s3
from tests.kit.upload_servers import s3_store as s3_store
from tests.kit.upload_servers import service as service

"""Servers for the uploads: `service` over HTTP, and the S3 store `s3`."""

from tests.kit.upload_servers import s3 as s3
from tests.kit.upload_servers import s3_store as s3_store
from tests.kit.upload_servers import service as service

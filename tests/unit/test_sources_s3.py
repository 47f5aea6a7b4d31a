"""What the S3 source reads out of an endpoint, and what it says without boto3."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hunyuan.errors import InputImageError
from hunyuan.models import EncodedImage
from hunyuan.settings.store import Settings
from hunyuan.sources.s3 import S3Uploader, addressing, region


@pytest.mark.parametrize(
    ("endpoint", "style", "place"),
    [
        ("", "virtual", "us-east-1"),
        ("https://s3.eu-central-1.amazonaws.com", "virtual", "eu-central-1"),
        ("https://cos.ap-guangzhou.myqcloud.com", "virtual", "ap-guangzhou"),
        ("https://oss-cn-hangzhou.aliyuncs.com", "virtual", "cn-hangzhou"),
        ("https://abc123.r2.cloudflarestorage.com", "path", "auto"),
        ("http://127.0.0.1:9000", "path", "us-east-1"),
        ("http://minio.local:9000", "path", "us-east-1"),
    ],
)
def test_addressing_and_region_of_the_common_stores(endpoint: str, style: str, place: str) -> None:
    settings = Settings(s3_endpoint=endpoint)
    assert addressing(settings) == style
    assert region(settings) == place


def test_the_environments_region_counts_for_aws_alone() -> None:
    assert region(Settings(), "eu-west-1") == "eu-west-1"
    assert region(Settings(s3_region="mars"), "eu-west-1") == "mars"
    assert region(Settings(s3_endpoint="http://minio.local:9000"), "eu-west-1") == "us-east-1"


def test_the_users_choice_wins() -> None:
    settings = Settings(s3_endpoint="https://cos.ap-beijing.myqcloud.com", s3_addressing="path", s3_region="mars")
    assert addressing(settings) == "path"
    assert region(settings) == "mars"


def test_without_boto3_one_sentence_names_the_command() -> None:
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "boto3"}
    sys.modules["boto3"] = None  # type: ignore[assignment]  # what an uninstalled package looks like to `import`
    try:
        with pytest.raises(InputImageError, match="pip install boto3"):
            S3Uploader().upload(EncodedImage(b"x", "image/png", 1, 1), "x.png", Settings(s3_bucket="b"))
    finally:
        del sys.modules["boto3"]
        sys.modules.update(kept)


def test_importing_the_sources_does_not_import_boto3() -> None:
    code = "import sys, hunyuan.sources; sys.exit(any(name in sys.modules for name in ('boto3', 'requests')))"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0

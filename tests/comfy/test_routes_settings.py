"""The settings routes: secrets go in and never come out, and stay bound to where they are sent."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sandbox.client import Sandbox, start_in_process
from tests.kit.comfy_fixtures import PaidServer, ServerFactory
from tests.kit.http_servers import Authority
from tests.kit.routes import error, get, save, try_

SECRETS = {
    "api_key": "aio_first_secret_of_the_page",
    "s3_access_key": "AKIA-second-secret",
    "s3_secret_key": "third/secret+of=the-page",
    "http_upload_headers": '{"Authorization": "Bearer fourth-secret"}',
}


@pytest.fixture(scope="module")
def plain(session_servers: ServerFactory) -> PaidServer:
    """A ComfyUI without key and address in its environment; this machine counts as open, for its servers here."""
    allowed = {"HUNYUAN_ALLOWED_HOSTS": "127.0.0.1"}
    return session_servers(environment={"HUNYUAN_API_KEY": None, "HUNYUAN_BASE_URL": None, **allowed})


@pytest.fixture(autouse=True)
def forgotten(plain: PaidServer) -> None:
    (plain.state_directory / "settings.json").unlink(missing_ok=True)


def stored(server: PaidServer) -> dict[str, object]:
    return dict(json.loads((server.state_directory / "settings.json").read_text()))


def test_secrets_go_into_the_private_file_and_only_their_presence_comes_out(plain: PaidServer) -> None:
    answer = save(plain, **SECRETS, s3_bucket="pictures")
    assert answer.status_code == 200
    file = plain.state_directory / "settings.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(plain.state_directory.stat().st_mode) == 0o700
    assert stored(plain)["api_key"] == SECRETS["api_key"]
    for text in (answer.text, get(plain, "settings").text, get(plain, "summary").text):
        for secret in ("first_secret", "second-secret", "third/secret", "fourth-secret"):
            assert secret not in text
    fields = get(plain, "settings").json()["fields"]
    assert fields["api_key"] == {
        "set": True, "ends_in": "page", "origin": "file", "variable": "HUNYUAN_API_KEY"
    }  # fmt: skip
    assert fields["s3_secret_key"]["ends_in"] == ""
    assert fields["s3_bucket"] == {
        "value": "pictures", "origin": "file", "variable": "HUNYUAN_S3_BUCKET"
    }  # fmt: skip
    assert save(plain, api_key=None).json()["fields"]["api_key"]["set"] is False
    assert "api_key" not in stored(plain)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"api_key": "with space"}, "api_key"),
        ({"upload_order": "remembered,pigeon"}, "upload_order"),
        ({"http_upload_headers": "[]"}, "http_upload_headers"),
        ({"journal_url": "sqlite:////etc/x"}, "journal_url"),  # the server's own business
        ({"results_dir": "/tmp"}, "results_dir"),
        ({"allowed_hosts": "http://10.0.0.1"}, "allowed_hosts"),
        ({"allowed_origins": "*"}, "allowed_origins"),
        ({"ca_file": 5}, "ca_file"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_a_wrong_value_names_its_field_and_nothing_is_written(
    plain: PaidServer, changes: dict[str, object], field: str
) -> None:
    status, _, named = error(save(plain, model="other", **changes))
    assert (status, named) == (400, field)
    assert not (plain.state_directory / "settings.json").exists()


def test_what_the_environment_sets_is_not_overwritten(comfy: PaidServer) -> None:
    assert error(save(comfy, api_key="aio_another")) == (409, "environment", "api_key")
    assert get(comfy, "settings").json()["fields"]["api_key"]["origin"] == "environment"


def test_the_key_goes_to_no_new_address_unless_it_is_given_again(plain: PaidServer) -> None:
    save(plain, api_key="aio_bound_to_its_gateway", base_url="https://first.example")
    for changes in (
        {"base_url": "https://second.example"},
        {"base_url": "http://first.example"},
        {"base_url": "https://first.example:8443"},
        {"base_url": "http://first.example", "proxy": "http://listener.example:3128"},
        {"base_url": "https://second.example", "api_key": ""},
        {"base_url": None},
    ):
        assert error(save(plain, **changes)) == (409, "api_key_needed", "api_key"), changes
    assert stored(plain)["base_url"] == "https://first.example"
    assert save(plain, base_url="https://first.example/prefix").status_code == 200
    assert save(plain, proxy="http://127.0.0.1:7890").status_code == 200  # https: a proxy sees no key
    assert save(plain, base_url="https://second.example", api_key="aio_bound_to_its_gateway").status_code == 200


def test_the_key_travels_under_no_other_authority_unless_it_is_given_again(plain: PaidServer, tmp_path: Path) -> None:
    save(plain, api_key="aio_bound_to_its_authorities", base_url="https://first.example")
    authority = str(Authority(tmp_path).ca_file)
    assert error(save(plain, ca_file=authority)) == (409, "api_key_needed", "api_key")
    assert save(plain, ca_file=authority, api_key="aio_bound_to_its_authorities").status_code == 200
    assert error(save(plain, proxy="http://reader.example:3128")) == (409, "api_key_needed", "api_key")
    assert save(plain, ca_file=None).status_code == 200
    origins = save(plain, allowed_origins="https://comfy.example, http://pc:8188").json()["fields"]["allowed_origins"]
    assert origins["value"] == ["https://comfy.example", "http://pc:8188"]


def test_upload_headers_go_to_no_new_address_unless_they_are_given_again(plain: PaidServer) -> None:
    save(plain, http_upload_url="https://files.example/up", http_upload_headers='{"X-Token": "fifth-secret"}')
    moved = {"http_upload_url": "https://other.example/up"}
    assert error(save(plain, **moved)) == (409, "http_upload_headers_needed", "http_upload_headers")
    assert save(plain, **moved, http_upload_headers='{"X-Token": "sixth"}').status_code == 200


def test_a_broken_settings_file_can_be_mended_but_not_used_to_send_the_key_elsewhere(plain: PaidServer) -> None:
    file = plain.state_directory / "settings.json"
    assert get(plain, "settings").status_code == 200  # the folder is there from the first use on
    file.write_text(json.dumps({"api_key": "aio_kept_in_a_broken_file", "max_in_flight": "many"}))
    fields = get(plain, "settings").json()["fields"]
    assert "max_in_flight" in str(fields["max_in_flight"]) or fields["max_in_flight"]["problem"]
    assert error(save(plain, base_url="https://other.example", max_in_flight=4))[1] == "api_key_needed"
    assert error(save(plain, base_url="http://apiin.one", max_in_flight=4))[1] == "api_key_needed"
    own = {"api_key": "aio_kept_in_a_broken_file", "base_url": "http://own.example", "max_in_flight": "many"}
    file.write_text(json.dumps(own))
    for changes in ({"base_url": None}, {"proxy": "http://listener.example:3128"}):
        assert error(save(plain, **changes, max_in_flight=4))[1] == "api_key_needed", changes
    assert save(plain, base_url="http://own.example/v2", max_in_flight=4).status_code == 200
    file.write_text(json.dumps({"api_key": "aio_kept_in_a_broken_file", "max_in_flight": "many"}))
    assert save(plain, max_in_flight=4).status_code == 200
    assert stored(plain) == {"api_key": "aio_kept_in_a_broken_file", "max_in_flight": 4}


def test_testing_names_what_is_at_fault(plain: PaidServer) -> None:
    with start_in_process() as gateway:
        good = {"base_url": gateway.url, "api_key": gateway.key}
        told = try_(plain, "gateway", **good)
        assert (told["ok"], told["said"], told["place"]) == (True, "accepted_plain", gateway.url)
        assert faults(plain, {**good, "api_key": "aio_wrong"}) == "key"
        assert faults(plain, {**good, "base_url": "http://no-such-host.invalid"}) == "dns"
        assert faults(plain, {**good, "proxy": "http://127.0.0.1:9"}) == "proxy"
        assert faults(plain, {**good, "base_url": "http://127.0.0.1:9"}) == "connection"
        assert faults(plain, {**good, "base_url": gateway.url.replace("http:", "https:")}) == "tls"
        assert faults(plain, {**good, "base_url": plain.url}) == "address"
        assert gateway.billed == 0
    assert not (plain.state_directory / "settings.json").exists()


def faults(server: PaidServer, changes: dict[str, str]) -> str:
    told = try_(server, "gateway", **changes)
    assert told["ok"] is False
    assert "aio_" not in told["message"]
    return str(told["fault"])


def test_testing_a_new_address_does_not_send_the_stored_key_there(plain: PaidServer, stranger: Sandbox) -> None:
    with start_in_process() as gateway:
        save(plain, api_key=gateway.key, base_url=gateway.url)
        told = try_(plain, "gateway", base_url=stranger.url)
        assert told["fault"] == "key_not_sent"
        assert try_(plain, "gateway")["ok"] is True
    (seen,) = stranger.requests()
    assert seen["bearer"]["last4"] != gateway.key[-4:]


@pytest.fixture
def stranger() -> Sandbox:
    return start_in_process()


def test_an_upload_way_is_tested_before_it_is_saved(plain: PaidServer) -> None:
    assert try_(plain, "data")["ok"] is True
    told = try_(plain, "http")
    assert (told["ok"], told["fault"]) == (False, "upload")
    told = try_(plain, "http", http_upload_url="http://127.0.0.1:9/up", http_upload_headers='{"X": "seventh-secret"}')
    assert told["ok"] is False
    assert "seventh-secret" not in told["message"]
    assert error(save(plain, nonsense=1))[0] == 400

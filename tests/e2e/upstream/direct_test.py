"""Direct mode, end to end: signed URLs that name the endpoint behind the server. What they carry
goes past the server, which stands still meanwhile."""

import os
import unittest
import urllib.error

from botocore.exceptions import ClientError
from browser_case import BrowserCase
from upstream_world import (
    PREFIX, Ceph, Console, Plain, Stopped, UpstreamServer, client_of, transfer, wait_for,
)

PROGRAM = os.environ["HOLDFAST_PROGRAM"]
MIB = 1 << 20
SECONDS = 10  # that a direct URL lives


class DirectCase:
    """The same server in front of either endpoint."""

    @classmethod
    def open(cls, endpoint, more=""):
        cls.endpoint = endpoint
        lines = f"direct = true\ndirect_seconds = {SECONDS}\n{more}"
        cls.server = UpstreamServer(PROGRAM, endpoint, more=lines)
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        cls.behind = client_of(endpoint.endpoint, (endpoint.key, endpoint.secret))
        cls.server.cli("bucket", "create", "research")
        for user in ("alice", "erin"):
            cls.server.cli("user", "add", user)
        cls.server.cli("grant", "add", "alice", "write", "research")
        cls.alice = Console(cls.server, "alice")
        cls.erin = Console(cls.server, "erin")
        cls.client = client_of(cls.server.s3_url, cls.server.keys_of("alice"))
        rule = {"AllowedOrigins": [cls.server.web_url], "AllowedMethods": ["PUT"]}
        rule |= {"AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
        cls.behind.put_bucket_cors(
            Bucket=PREFIX + "research", CORSConfiguration={"CORSRules": [rule]}
        )

    def direct_events(self):
        return self.server.cli_json("audit", "tail", "-n", "500", "--action", "direct.url")

    def assert_direct(self, url):
        self.assertTrue(url.startswith(f"{self.endpoint.endpoint}/{PREFIX}research/"), url)

    def test_a_download_passes_the_server_by(self):
        body = os.urandom(9 * MIB)
        self.client.put_object(Bucket="research", Key="a dir/ü+%2F.bin", Body=body)
        answer = self.alice.post("files/sign", bucket="research", key="a dir/ü+%2F.bin")
        self.assertTrue(answer["direct"])
        self.assertEqual(answer["seconds"], SECONDS)
        self.assert_direct(answer["url"])
        with Stopped(self.server):
            status, headers, got = transfer(answer["url"])
            other, _, _ = transfer(answer["url"].replace(".bin?", ".bim?"))
            more, _, _ = transfer(answer["url"] + "&acl")
            put, _, _ = transfer(answer["url"], "PUT", b"other bytes")
        self.assertEqual(status, 200)
        self.assertEqual(got, body)
        self.assertIn("attachment", headers["Content-Disposition"])
        self.assertEqual((other, more, put), (403, 403, 403))
        events = [row for row in self.direct_events() if row["target"].endswith("+%2F.bin")]
        self.assertEqual([row["actor"] for row in events], ["alice"])

    def test_an_old_version_is_read_direct(self):
        old = self.client.put_object(Bucket="research", Key="v", Body=b"first")["VersionId"]
        self.client.put_object(Bucket="research", Key="v", Body=b"second")
        answer = self.alice.post("files/sign", bucket="research", key="v", version=old)
        self.assert_direct(answer["url"])
        self.assertEqual(transfer(answer["url"])[2], b"first")

    def test_the_endpoint_refuses_a_url_after_its_lifetime(self):
        self.client.put_object(Bucket="research", Key="short", Body=b"soon gone")
        url = self.alice.post("files/sign", bucket="research", key="short")["url"]
        self.assertEqual(transfer(url)[0], 200)
        wait_for("the URL to end", lambda: transfer(url)[0] == 403, SECONDS + 15, 0.2)

    def test_who_has_no_grant_gets_no_url(self):
        self.client.put_object(Bucket="research", Key="secret", Body=b"for few")
        upload = self.alice.post("uploads", bucket="research", key="secret", size=1)["upload_id"]
        for path, body in (
            ("files/sign", {"key": "secret"}),
            ("uploads/sign", {"key": "secret", "upload_id": upload, "numbers": [1]}),
        ):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.erin.post(path, bucket="research", **body)
            self.assertEqual(refused.exception.code, 403)
            self.assertNotIn(b"X-Amz", refused.exception.read())
        self.assertNotIn("erin", [row["actor"] for row in self.direct_events()])

    def test_a_whole_put_goes_through_the_server_so_that_its_feed_tells_it(self):
        answer = self.alice.post("files/sign", bucket="research", key="put", method="PUT")
        self.assertFalse(answer["direct"])
        self.assertTrue(answer["url"].startswith(self.server.s3_url), answer["url"])
        self.assertEqual(transfer(answer["url"], "PUT", b"whole")[0], 200)

    def test_a_bucket_with_a_policy_stays_with_the_server(self):
        self.server.cli("bucket", "create", "ruled")
        self.server.cli("grant", "add", "alice", "admin", "ruled")
        self.client.put_object(Bucket="ruled", Key="k", Body=b"k")
        self.assertTrue(self.alice.post("files/sign", bucket="ruled", key="k")["direct"])
        self.client.put_bucket_policy(
            Bucket="ruled",
            Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",'
            '"Action":"s3:GetObject","Resource":"arn:aws:s3:::ruled/*",'
            '"Condition":{"StringEquals":{"aws:UserAgent":"nobody"}}}]}',
        )
        self.assertFalse(self.alice.post("files/sign", bucket="ruled", key="k")["direct"])

    def test_the_commands_use_either_way(self):
        path = os.path.join(self.server.files, "local")
        with open(path, "wb") as file:
            file.write(b"by command")
        self.server.cli("cp", path, "s3://research/by-command")
        self.assertEqual(self.server.cli("cat", "s3://research/by-command"), "by command")
        url = self.server.cli("presign", "s3://research/by-command").strip()
        self.assert_direct(url)
        with Stopped(self.server):
            self.assertEqual(transfer(url)[2], b"by command")

    # --- uploads in parts

    def begin(self, key):
        return self.alice.post("uploads", bucket="research", key=key, size=10 * MIB)["upload_id"]

    def part_urls(self, key, upload, console=None):
        answer = (console or self.alice).post(
            "uploads/sign", bucket="research", key=key, upload_id=upload, numbers=[1, 2]
        )
        return answer["direct"], [answer["urls"][number] for number in ("1", "2")]

    def complete(self, key, upload, etags):
        parts = [{"number": n, "etag": etag} for n, etag in enumerate(etags, 1)]
        self.alice.post("uploads/complete", bucket="research", key=key, upload_id=upload, parts=parts)

    def upload_parts_direct(self, key):
        parts = [os.urandom(6 * MIB), os.urandom(1000)]
        upload = self.begin(key)
        direct, urls = self.part_urls(key, upload)
        self.assertTrue(direct)
        with Stopped(self.server):
            answers = [transfer(url, "PUT", part) for url, part in zip(urls, parts, strict=True)]
        self.assertEqual([answer[0] for answer in answers], [200, 200])
        arrived = self.alice.post("uploads/parts", bucket="research", key=key, upload_id=upload)
        self.assertEqual([part["size"] for part in arrived["parts"]], [6 * MIB, 1000])
        self.complete(key, upload, [answer[1]["ETag"] for answer in answers])
        got = self.client.get_object(Bucket="research", Key=key)["Body"].read()
        self.assertEqual(got, b"".join(parts))
        folder = key.rsplit("/", 1)[0]
        listed = self.alice.call("GET", f"files?bucket=research&prefix={folder}/")
        self.assertIn(key, [row["key"] for row in listed["objects"]])
        self.assertEqual(transfer(urls[0], "PUT", b"late")[0] // 100, 4)


class InFrontOfCeph(DirectCase, unittest.TestCase):
    """Ceph 16 obeys headers of a presigned URL that nobody signed, x-amz-copy-source among them."""

    @classmethod
    def setUpClass(cls):
        ceph = Ceph()
        cls.addClassCleanup(ceph.stop)
        ceph.start()
        cls.open(ceph)

    def test_parts_stay_with_the_server_for_a_url_could_copy_what_it_must_not(self):
        direct, urls = self.part_urls("big", self.begin("big"))
        self.assertFalse(direct)
        self.assertTrue(urls[0].startswith(self.server.s3_url), urls[0])
        self.assertIn("headers that a presigned URL did not sign", self.server.log_tail(2000))


class InFrontOfHoldfast(DirectCase, BrowserCase, unittest.TestCase):
    """An endpoint that refuses headers which were not signed: another Holdfast."""

    @classmethod
    def setUpClass(cls):
        behind = Plain(PROGRAM)
        cls.addClassCleanup(behind.cleanup)
        behind.start()
        cls.open(behind)

    def test_an_upload_in_parts_passes_the_server_by_and_is_completed_by_it(self):
        self.upload_parts_direct("parts/of two")

    def test_a_part_cannot_be_filled_from_another_object(self):
        self.behind.create_bucket(Bucket="a-strangers-bucket")
        self.behind.put_object(Bucket="a-strangers-bucket", Key="k", Body=b"not yours")
        direct, urls = self.part_urls("copied", self.begin("copied"))
        self.assertTrue(direct)
        headers = {"x-amz-copy-source": "/a-strangers-bucket/k"}
        self.assertEqual(transfer(urls[0], "PUT", b"", headers)[0], 403)

    def test_parts_of_a_browser_stay_with_the_server_where_no_cors_rule_lets_it(self):
        self.server.cli("bucket", "create", "closed")
        self.server.cli("grant", "add", "alice", "write", "closed")
        named = {"bucket": "closed", "key": "k"}
        upload = self.alice.post("uploads", size=1, **named)["upload_id"]
        answer = self.alice.post("uploads/sign", upload_id=upload, numbers=[1], **named)
        self.assertFalse(answer["direct"])


class InFrontOfCephWithSts(DirectCase, BrowserCase, unittest.TestCase):
    """Parts are signed by keys that can put one key only, and people are lent credentials."""

    browser_file = "big & bold.bin"  # a name that a session policy can say

    @classmethod
    def setUpClass(cls):
        ceph = Ceph(sts=True)
        cls.addClassCleanup(ceph.stop)
        ceph.start()
        role = ceph.make_role("holdfast-direct")
        cls.open(ceph, f'[store.sts]\nrole = "{role}"\nwrites = true\n')
        cls.server.cli("grant", "add", "erin", "read", "research/public/")

    def test_an_upload_in_parts_passes_the_server_by_and_is_completed_by_it(self):
        self.upload_parts_direct("parts/of two")

    def test_a_part_cannot_be_filled_from_another_object(self):
        self.behind.create_bucket(Bucket="a-strangers-bucket")
        self.behind.put_object(Bucket="a-strangers-bucket", Key="k", Body=b"not yours")
        self.client.put_object(Bucket="research", Key="secret", Body=b"not by this way")
        direct, urls = self.part_urls("copied", self.begin("copied"))
        self.assertTrue(direct)
        for source in ("/a-strangers-bucket/k", f"/{PREFIX}research/secret"):
            headers = {"x-amz-copy-source": source}
            self.assertEqual(transfer(urls[0], "PUT", b"", headers)[0], 403)

    def test_a_key_that_no_policy_can_name_stays_with_the_server(self):
        self.assertFalse(self.part_urls("a*", self.begin("a*"))[0])

    def lent_to(self, user, *arguments):
        lent = self.server.cli_json("key", "lend", user, *arguments)
        keys = (lent["access_key_id"], lent["secret_access_key"], lent["session_token"])
        return client_of(lent["endpoint"], keys)

    def assert_refused(self, call, **arguments):
        with self.assertRaises(ClientError) as refused:
            call(Bucket=arguments.pop("Bucket", PREFIX + "research"), **arguments)
        self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 403)

    def test_lent_credentials_read_what_is_granted_and_nothing_else(self):
        for key in ("public/file", "publicity", "secret"):
            self.client.put_object(Bucket="research", Key=key, Body=key.encode())
        self.client.put_object(Bucket="homes", Key="alice/x", Body=b"at home")
        lent = self.lent_to("erin", "s3://research/")
        with Stopped(self.server):
            got = lent.get_object(Bucket=PREFIX + "research", Key="public/file")["Body"].read()
            listed = lent.list_objects_v2(Bucket=PREFIX + "research", Prefix="public/")
            for key in ("publicity", "secret"):
                self.assert_refused(lent.get_object, Key=key)
            self.assert_refused(lent.get_object, Bucket=PREFIX + "homes", Key="alice/x")
            self.assert_refused(lent.list_objects_v2)
            self.assert_refused(lent.list_objects_v2, Prefix="public")
            self.assert_refused(lent.put_object, Key="public/file", Body=b"x")
            self.assert_refused(lent.delete_object, Key="public/file")
        self.assertEqual(got, b"public/file")
        self.assertEqual([row["Key"] for row in listed["Contents"]], ["public/file"])

    def test_lent_credentials_write_where_that_is_granted_and_lent(self):
        lent = self.lent_to("alice", "s3://research/dir/")
        lent.put_object(Bucket=PREFIX + "research", Key="dir/by loan", Body=b"past the server")
        got = self.client.get_object(Bucket="research", Key="dir/by loan")["Body"].read()
        self.assertEqual(got, b"past the server")
        self.assert_refused(lent.put_object, Key="elsewhere", Body=b"x")
        self.assert_refused(lent.put_object, Bucket=PREFIX + "homes", Key="alice/x", Body=b"x")
        events = self.server.cli_json("audit", "tail", "--action", "direct.")
        self.assertIn("direct.credentials", [row["action"] for row in events])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Upstream mode, end to end: grants, versions, signed URLs, restore and homes on a store that is
another's; and what happens when that store goes away in the middle."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from botocore.exceptions import BotoCoreError, ClientError
from upstream_world import PREFIX, Ceph, UpstreamServer, client_of, wait_for

PROGRAM = os.environ["HOLDFAST_PROGRAM"]
MIB = 1 << 20


def status_of(error):
    return error.exception.response["ResponseMetadata"]["HTTPStatusCode"]


class UpstreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ceph = Ceph()
        cls.addClassCleanup(cls.ceph.stop)
        cls.ceph.start()
        cls.direct = client_of(cls.ceph.endpoint, (cls.ceph.key, cls.ceph.secret))
        cls.server = UpstreamServer(PROGRAM, cls.ceph)
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        cls.keys, cls.clients = {}, {}
        for bucket in ("research", "mapped"):
            cls.server.cli("bucket", "create", bucket)
        for user in ("alice", "bob"):
            cls.server.cli("user", "add", user)
            cls.keys[user] = cls.server.keys_of(user)
            cls.clients[user] = client_of(cls.server.s3_url, cls.keys[user])
        for bucket in ("research", "mapped"):
            cls.server.cli("grant", "add", "alice", "write", bucket)
        cls.server.cli("grant", "add", "bob", "read", "research/public/")
        cls.alice, cls.bob = cls.clients["alice"], cls.clients["bob"]

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="upstream-work-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def upstream_body(self, key, bucket=PREFIX + "research"):
        return self.direct.get_object(Bucket=bucket, Key=key)["Body"].read()

    def aws(self, *arguments):
        key, secret = self.keys["alice"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.directory, "AWS_ACCESS_KEY_ID": key}
        environment |= {"AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": "us-east-1"}
        command = ["/usr/bin/aws", "--endpoint-url", self.server.s3_url, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, cwd=self.directory
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    # --- what clients do

    def test_what_is_written_through_us_lies_upstream(self):
        body = os.urandom(300_000)
        put = self.alice.put_object(
            Bucket="research", Key="a b/ü+%2F", Body=body, Metadata={"colour": "blue"}
        )
        self.assertEqual(self.upstream_body("a b/ü+%2F"), body)
        got = self.alice.get_object(Bucket="research", Key="a b/ü+%2F")
        self.assertEqual(got["Body"].read(), body)
        self.assertEqual(got["Metadata"], {"colour": "blue"})
        self.assertEqual(got["ETag"], put["ETag"])
        part = self.alice.get_object(Bucket="research", Key="a b/ü+%2F", Range="bytes=10-19")
        self.assertEqual(part["Body"].read(), body[10:20])

    def test_buckets_have_their_names_here_and_others_are_not_seen(self):
        self.direct.create_bucket(Bucket="a-strangers-bucket")
        names = [bucket["name"] for bucket in self.server.cli_json("bucket", "list")]
        self.assertEqual(sorted(names), ["homes", "mapped", "research"])
        self.alice.put_object(Bucket="mapped", Key="k", Body=b"there")
        self.assertEqual(self.upstream_body("k", "somewhere-else"), b"there")
        with self.assertRaises(ClientError):
            self.alice.get_object(Bucket="a-strangers-bucket", Key="k")

    def test_the_aws_tool_copies_a_tree_there_and_back(self):
        tree = os.path.join(self.directory, "tree")
        for name in ("one.txt", "deep/two.bin", "deep/er/three.bin"):
            path = os.path.join(tree, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(os.urandom(12 * MIB if name.endswith("two.bin") else 1000))
        self.aws("s3", "sync", tree, "s3://research/tree/")
        self.assertIn("three.bin", self.aws("s3", "ls", "--recursive", "s3://research/tree/"))
        back = os.path.join(self.directory, "back")
        self.aws("s3", "sync", "s3://research/tree/", back)
        subprocess.run(["diff", "--recursive", tree, back], check=True)
        self.aws("s3", "mv", "s3://research/tree/one.txt", "s3://research/tree/moved.txt")
        self.aws("s3", "rm", "--recursive", "s3://research/tree/")
        self.assertNotIn("Contents", self.direct.list_objects(Bucket=PREFIX + "research", Prefix="tree/"))

    def test_a_multipart_upload_is_listed_completed_and_aborted(self):
        parts = [os.urandom(5 * MIB), os.urandom(100)]
        for finish in (True, False):
            upload = self.alice.create_multipart_upload(Bucket="research", Key="multi")["UploadId"]
            named = {"Bucket": "research", "Key": "multi", "UploadId": upload}
            done = []
            for number, part in enumerate(parts, 1):
                answer = self.alice.upload_part(**named, PartNumber=number, Body=part)
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
            self.assertEqual([p["Size"] for p in self.alice.list_parts(**named)["Parts"]], [5 * MIB, 100])
            if finish:
                self.alice.complete_multipart_upload(**named, MultipartUpload={"Parts": done})
            else:
                self.alice.abort_multipart_upload(**named)
        self.assertEqual(self.upstream_body("multi"), b"".join(parts))
        self.assertNotIn("Uploads", self.alice.list_multipart_uploads(Bucket="research"))

    def test_versions_are_kept_listed_and_restored(self):
        for text in (b"first", b"second"):
            self.alice.put_object(Bucket="research", Key="doc/file", Body=text)
            time.sleep(0.02)  # commit times are told to the millisecond
        listed = self.alice.list_object_versions(Bucket="research", Prefix="doc/")["Versions"]
        self.assertEqual([v["IsLatest"] for v in listed], [True, False])
        old = self.alice.get_object(Bucket="research", Key="doc/file", VersionId=listed[1]["VersionId"])
        self.assertEqual(old["Body"].read(), b"first")
        self.alice.delete_object(Bucket="research", Key="doc/file")
        with self.assertRaises(ClientError):
            self.alice.get_object(Bucket="research", Key="doc/file")
        history = self.server.cli("history", "s3://research/doc/file")
        self.assertGreaterEqual(len(history.splitlines()), 3, history)
        self.server.cli("undelete", "s3://research/doc/file")
        self.assertEqual(self.upstream_body("doc/file"), b"second")
        moment = listed[1]["LastModified"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.server.cli("restore", "s3://research/doc/file", "--at", moment)
        self.assertEqual(self.upstream_body("doc/file"), b"first")

    def test_conditions_decide_even_where_the_upstream_ignores_them(self):
        put = self.alice.put_object(Bucket="research", Key="cond", Body=b"one")
        source = {"Bucket": "research", "Key": "cond"}
        with self.assertRaises(ClientError) as refused:
            self.conditional_put("cond", {"If-None-Match": "*"})
        self.assertEqual(status_of(refused), 412)
        with self.assertRaises(ClientError) as refused:
            self.conditional_put("cond", {"If-Match": '"00000000000000000000000000000000"'})
        self.assertEqual(status_of(refused), 412)
        self.conditional_put("cond", {"If-Match": put["ETag"]})
        with self.assertRaises(ClientError) as refused:
            self.conditional("before-sign.s3.CopyObject", {"If-None-Match": "*"}).copy_object(
                Bucket="research", Key="cond", CopySource=source, MetadataDirective="REPLACE"
            )
        self.assertEqual(status_of(refused), 412)

    def conditional(self, event, headers):
        client = client_of(self.server.s3_url, self.keys["alice"])

        def add(request, **_):
            for name, value in headers.items():
                request.headers[name] = value

        client.meta.events.register(event, add)
        return client

    def conditional_put(self, key, headers):
        client = self.conditional("before-sign.s3.PutObject", headers)
        return client.put_object(Bucket="research", Key=key, Body=b"other")

    def test_long_bodies_pass_through_in_bounded_memory(self):
        def peak():
            with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as text:
                return next(int(line.split()[1]) for line in text if line.startswith("VmHWM"))

        before = peak()
        body = os.urandom(MIB) * 200
        self.alice.put_object(Bucket="research", Key="long", Body=body)
        got = self.alice.get_object(Bucket="research", Key="long")["Body"]
        digest = hashlib.sha256()
        for block in got.iter_chunks(MIB):
            digest.update(block)
        self.assertEqual(digest.digest(), hashlib.sha256(body).digest())
        self.assertLess(peak() - before, 32 << 10, "KiB more than before a body of 200 MiB")

    # --- who may

    def test_a_grant_decides_and_a_denial_is_audited(self):
        self.alice.put_object(Bucket="research", Key="public/file", Body=b"for all")
        self.alice.put_object(Bucket="research", Key="secret", Body=b"for few")
        got = self.bob.get_object(Bucket="research", Key="public/file")
        self.assertEqual(got["Body"].read(), b"for all")
        for attempt in (
            lambda: self.bob.get_object(Bucket="research", Key="secret"),
            lambda: self.bob.put_object(Bucket="research", Key="public/file", Body=b"x"),
            lambda: self.bob.delete_object(Bucket="research", Key="public/file"),
            lambda: self.bob.list_objects_v2(Bucket="research"),
            lambda: self.bob.get_object(Bucket="homes", Key="alice/x"),
        ):
            with self.assertRaises(ClientError) as refused:
                attempt()
            self.assertEqual(status_of(refused), 403)
        wait_for(
            "the denial in the audit",
            lambda: "bob" in self.server.cli("audit", "tail", "-n", "50", "--actor", "bob"),
            10,
        )

    def test_a_signed_url_reads_and_writes(self):
        named = {"Bucket": "research", "Key": "signed"}
        put = self.alice.generate_presigned_url("put_object", Params=named, ExpiresIn=60)
        request = urllib.request.Request(put, data=b"by link", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        get = self.alice.generate_presigned_url("get_object", Params=named, ExpiresIn=60)
        with urllib.request.urlopen(get, timeout=30) as answer:
            self.assertEqual(answer.read(), b"by link")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(get.replace("signed?", "secret?"), timeout=30)
        self.assertEqual(refused.exception.code, 403)
        self.assertEqual(self.upstream_body("signed"), b"by link")

    # --- a home

    def test_a_home_syncs_both_ways(self):
        home, cache = (os.path.join(self.directory, name) for name in ("home", "cache"))
        os.mkdir(home)
        key, secret = self.keys["alice"]
        environment = dict(os.environ, AWS_ENDPOINT_URL=self.server.s3_url, AWS_ACCESS_KEY_ID=key)
        environment["AWS_SECRET_ACCESS_KEY"] = secret
        log = open(os.path.join(self.directory, "mount.log"), "wb")
        mount = subprocess.Popen(
            [PROGRAM, "mount", "--user", "alice", "--cache", cache, "--home", home],
            env=environment, stdout=log, stderr=log,
        )
        try:
            wait_for("the home to be mounted", lambda: os.path.ismount(home), 30)
            big = os.urandom(9 * MIB)
            os.makedirs(os.path.join(home, "work"))
            for name, body in (("work/notes.txt", b"a save"), ("work/big.bin", big)):
                with open(os.path.join(home, name), "wb") as file:
                    file.write(body)
            bucket = PREFIX + "homes"
            wait_for("both files upstream",
                     lambda: self.exists(bucket, "alice/work/notes.txt")
                     and self.exists(bucket, "alice/work/big.bin"), 30)
            self.assertEqual(self.upstream_body("alice/work/notes.txt", bucket), b"a save")
            self.assertEqual(self.upstream_body("alice/work/big.bin", bucket), big)
            self.alice.put_object(Bucket="homes", Key="alice/work/from-outside.txt", Body=b"hello")
            outside = os.path.join(home, "work", "from-outside.txt")
            wait_for("the other side's file", lambda: os.path.exists(outside), 10)
            with open(outside, "rb") as file:
                self.assertEqual(file.read(), b"hello")
            os.rename(os.path.join(home, "work"), os.path.join(home, "renamed"))
            wait_for("the rename upstream",
                     lambda: self.exists(bucket, "alice/renamed/big.bin")
                     and not self.exists(bucket, "alice/work/big.bin"), 30)
            self.assertIn("notes.txt", self.server.cli("ls", "home:alice/renamed/"))
        finally:
            mount.terminate()
            mount.wait(60)
            log.close()
            subprocess.run(["umount", "-l", home], check=False, stderr=subprocess.DEVNULL)

    def exists(self, bucket, key):
        try:
            self.direct.head_object(Bucket=bucket, Key=key)
            return True
        except ClientError:
            return False

    # --- trouble

    def test_an_upstream_that_is_killed_in_mid_upload_loses_nothing_acknowledged(self):
        acknowledged, stop = {}, threading.Event()
        failures = []

        def write(worker):
            client = client_of(self.server.s3_url, self.keys["alice"], read_timeout=20)
            number = 0
            while not stop.is_set():
                key = f"kill/{worker}/{number}"
                number += 1
                body = os.urandom([1000, 300_000, 6 * MIB][number % 3])
                try:
                    client.put_object(Bucket="research", Key=key, Body=body)
                    acknowledged[key] = hashlib.sha256(body).hexdigest()
                except ClientError as error:
                    failures.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
                    time.sleep(0.05)
                except BotoCoreError:
                    failures.append(0)  # cut in the middle of a body
                    time.sleep(0.05)

        upload = self.alice.create_multipart_upload(Bucket="research", Key="kill/multi")["UploadId"]
        named = {"Bucket": "research", "Key": "kill/multi", "UploadId": upload}
        first, last = os.urandom(5 * MIB), os.urandom(1000)
        parts = [self.alice.upload_part(**named, PartNumber=1, Body=first)["ETag"]]
        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for writer in writers:
            writer.start()
        try:
            wait_for("some writes", lambda: len(acknowledged) > 8, 120)
            self.ceph.kill_gateway()
            wait_for("a refusal", lambda: len(failures) > 3, 120)
            with self.assertRaises(ClientError) as refused:
                self.alice.get_object(Bucket="research", Key="kill/0/0")
            self.assertEqual(status_of(refused), 503)
            headers = refused.exception.response["ResponseMetadata"]["HTTPHeaders"]
            self.assertIn("retry-after", headers)
            self.ceph.start_gateway()
            before = len(acknowledged)
            wait_for("writes again", lambda: len(acknowledged) > before + 8, 120)
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertLessEqual(set(failures), {0, 503}, "what failed was told to come again")
        parts.append(self.alice.upload_part(**named, PartNumber=2, Body=last)["ETag"])
        listed = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(parts, 1)]
        self.alice.complete_multipart_upload(**named, MultipartUpload={"Parts": listed})
        self.assertEqual(self.upstream_body("kill/multi"), first + last)
        for key, digest in acknowledged.items():
            body = self.alice.get_object(Bucket="research", Key=key)["Body"].read()
            self.assertEqual(hashlib.sha256(body).hexdigest(), digest, key)

    def test_a_start_that_cannot_work_says_why(self):
        cases = [
            ({"secret": "wrong"}, "refuses the credentials"),
            ({"endpoint": "http://127.0.0.1:1"}, "cannot be reached"),
            ({"endpoint": "127.0.0.1:80"}, "no URL"),
        ]
        for options, sentence in cases:
            server = UpstreamServer(PROGRAM, self.ceph, **options)
            try:
                done = subprocess.run(
                    [PROGRAM, "serve", *server.arguments, *server.listen],
                    capture_output=True, text=True, timeout=60,
                )
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(sentence, done.stderr)
                self.assertNotIn("wrong", done.stderr)
            finally:
                server.cleanup()

    def test_a_file_of_secrets_that_others_may_read_is_refused(self):
        server = UpstreamServer(PROGRAM, self.ceph)
        try:
            os.chmod(server.credentials, 0o644)
            done = subprocess.run(
                [PROGRAM, "serve", *server.arguments, *server.listen],
                capture_output=True, text=True, timeout=60,
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn("chmod 600", done.stderr)
        finally:
            server.cleanup()


if __name__ == "__main__":
    unittest.main(verbosity=2)

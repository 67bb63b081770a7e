"""A server whose disk fills up (a tmpfs of its own): writers learn it by 507 and ENOSPC, readers go on,
and when there is room again so do writers, without a restart."""
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from serve_fixture import NO_TOOLS, ServeTest, program, wait_for
from harness import Server

MIB = 1 << 20


class DiskFullTest(ServeTest):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="holdfast-full-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", self.place], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.place], check=True)
        self.server = Server(program(), options=NO_TOOLS)
        shutil.rmtree(self.server.data)
        self.server.data = os.path.join(self.place, "data")
        self.addCleanup(self.server.cleanup)
        self.server.start()
        self.server.cli("user", "add", "alice")
        self.server.cli("bucket", "create", "research", "--unversioned")
        self.server.cli("grant", "add", "alice", "write", "research")
        self.keys = self.server.keys_of("alice")
        self.s3 = boto3.client("s3", endpoint_url=self.server.s3_url, aws_access_key_id=self.keys[0],
                               aws_secret_access_key=self.keys[1], region_name="us-east-1",
                               config=Config(signature_version="s3v4", retries={"max_attempts": 0},
                                             s3={"addressing_style": "path"}))
        self.stored = {}

    def put(self, key, size):
        """None, or the status of the refusal."""
        body = os.urandom(size)
        try:
            self.s3.put_object(Bucket="research", Key=key, Body=body)
            self.stored[key] = body
            return None
        except ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "InsufficientStorage")
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    def fill(self, size, prefix):
        for number in range(1000):
            status = self.put(f"{prefix}{number}", size)
            if status is not None:
                return status
        self.fail("the disk never filled up")

    def check_all_readable(self):
        for key, body in self.stored.items():
            self.assertEqual(self.s3.get_object(Bucket="research", Key=key)["Body"].read(), body, key)
        listed = self.s3.list_objects_v2(Bucket="research").get("Contents", [])
        self.assertEqual(sorted(row["Key"] for row in listed), sorted(self.stored))

    def block(self):
        """Takes the last byte of the disk away."""
        path = os.path.join(self.place, "filler")
        with open(path, "wb", buffering=0) as file:
            for step in (MIB, 4096):
                try:
                    while True:
                        file.write(bytes(step))
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)
        return path

    def mount_home(self):
        home, cache = (os.path.join(self.place, name) for name in ("home", "cache"))
        os.mkdir(home)
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "AWS_ACCESS_KEY_ID": self.keys[0],
                       "AWS_SECRET_ACCESS_KEY": self.keys[1], "AWS_DEFAULT_REGION": "us-east-1",
                       "AWS_ENDPOINT_URL": self.server.s3_url}
        with open(self.server.log_path + ".mount", "wb") as log:
            mount = subprocess.Popen([program(), "mount", "--user", "alice", "--cache", cache, "--home", home],
                                     env=environment, stdout=subprocess.PIPE, stderr=log)

        def end():
            mount.send_signal(signal.SIGTERM)
            mount.wait(60)
            mount.stdout.close()
        self.addCleanup(end)
        self.assertIn(b"ready", mount.stdout.readline())
        return home

    def in_store(self, key):
        return "Contents" in self.s3.list_objects_v2(Bucket="homes", Prefix=key)

    def test_writers_get_507_readers_go_on_and_deletes_make_room(self):
        self.assertEqual(self.fill(3 * MIB, "large"), 507)
        self.assertGreater(len(self.stored), 5)
        self.assertEqual(self.fill(65_536, "small"), 507)
        self.check_all_readable()
        for key in list(self.stored):
            self.s3.delete_object(Bucket="research", Key=key)
            del self.stored[key]
        wait_for("room after the deletes", lambda: self.put("again", 3 * MIB) is None, 20)
        self.check_all_readable()

    def test_a_disk_without_a_single_byte_left_stops_writers_only(self):
        home = self.mount_home()
        with open(os.path.join(home, "before"), "wb") as file:
            file.write(b"saved in time")
        wait_for("the save in the store", lambda: self.in_store("alice/before"), 30)
        for number in range(5):
            self.assertIsNone(self.put(f"early{number}", 200_000 if number % 2 else 2000))
        filler = self.block()
        for size in (10, 2000, 300_000):
            self.assertEqual(self.put("late", size), 507)
        self.check_all_readable()
        with self.assertRaises(OSError) as failed:
            with open(os.path.join(home, "late"), "wb", buffering=0) as file:
                for _ in range(64):
                    file.write(os.urandom(65536))
        self.assertEqual(failed.exception.errno, errno.ENOSPC)
        with open(os.path.join(home, "before"), "rb") as file:
            self.assertEqual(file.read(), b"saved in time")
        os.unlink(filler)
        wait_for("writers to go on by themselves", lambda: self.put("back", 300_000) is None, 20)
        with open(os.path.join(home, "back"), "wb") as file:
            file.write(b"the home goes on, too")
        wait_for("the home's save in the store", lambda: self.in_store("alice/back"), 60)
        self.check_all_readable()

    def test_a_server_killed_on_a_full_disk_loses_nothing(self):
        for number in range(20):
            self.assertIsNone(self.put(f"k{number}", 150_000 if number % 3 == 0 else 500))
        filler = self.block()
        for number in range(5):
            self.assertEqual(self.put(f"late{number}", 400), 507)
        self.server.kill()
        os.unlink(filler)
        self.server.start()
        self.check_all_readable()
        self.assertIsNone(self.put("after", 1000))


if __name__ == "__main__":
    unittest.main(warnings="ignore")

"""Kills a serving server with -9 under a storm of writes, again and again: what it acknowledged is there
after the next start, what it did not is there wholly or not at all, and nothing is there twice.

HOLDFAST_KILL_CYCLES: how often (20; 1,000 with HOLDFAST_TEST_LONG). Prints what it saw.
"""
import hashlib
import os
import random
import threading
import time
import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from serve_fixture import ServeTest

CYCLES = int(os.environ.get("HOLDFAST_KILL_CYCLES", 1000 if os.environ.get("HOLDFAST_TEST_LONG") else 20))
WRITERS = 6
KEYS = 8
GONE = None


class Writer(threading.Thread):
    """Owns some keys. `states`: what each may hold; one entry when its last write was answered."""

    def __init__(self, number, client, states, versions, cycle, seed):
        super().__init__(daemon=True)
        self.number, self.client, self.states, self.versions = number, client, states, versions
        self.cycle, self.dice = cycle, random.Random(seed)
        self.acknowledged = 0
        self.refused = None
        self.stopped = threading.Event()

    def body(self, round_number):
        size = self.dice.choice((0, 50, 4000, 60_000, 400_000))
        return f"{self.number}/{self.cycle}/{round_number}:".encode() + self.dice.randbytes(size)

    def run(self):
        for round_number in range(1_000_000):
            if self.stopped.is_set():
                return
            key = f"w{self.number}/k{self.dice.randrange(KEYS)}"
            before = self.states.get(key, {GONE})
            kind = self.dice.choice(("put", "put", "put", "parts", "copy", "delete", "version"))
            try:
                if kind == "version":
                    self.write_version(round_number)
                else:
                    self.change(kind, key, before, round_number)
                self.acknowledged += 1
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError):  # an answer, where a cut connection was due
                    self.refused = f"{kind} {key}: {error}"
                return

    def change(self, kind, key, before, round_number):
        bucket = {"Bucket": "storm", "Key": key}
        if kind == "delete":
            self.states[key] = before | {GONE}
            self.client.delete_object(**bucket)
            self.states[key] = {GONE}
            return
        body = self.body(round_number)
        digest = hashlib.sha256(body).digest()
        if kind == "copy":
            # From a source that is written first, so that it surely is there.
            source = f"w{self.number}/source"
            self.states[source] = self.states.get(source, {GONE}) | {digest}
            self.client.put_object(Bucket="storm", Key=source, Body=body)
            self.states[source] = {digest}
        self.states[key] = before | {digest}
        if kind == "put":
            self.client.put_object(**bucket, Body=body)
        elif kind == "copy":
            self.client.copy_object(**bucket, CopySource={"Bucket": "storm", "Key": source})
        else:
            upload = self.client.create_multipart_upload(**bucket)["UploadId"]
            part = self.client.upload_part(**bucket, UploadId=upload, PartNumber=1, Body=body)
            self.client.complete_multipart_upload(**bucket, UploadId=upload, MultipartUpload={
                "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.states[key] = {digest}

    def write_version(self, round_number):
        counts = self.versions.setdefault(f"w{self.number}", [0, 0])
        counts[1] += 1  # at most so many
        self.client.put_object(Bucket="kept", Key=f"w{self.number}", Body=f"{self.cycle}/{round_number}".encode())
        counts[0] += 1  # at least so many


class KillTest(ServeTest):
    @classmethod
    def setUpClass(cls):
        cls.start_server()
        for name in ("storm", "kept"):
            cls.server.cli("bucket", "create", name, *(["--unversioned"] if name == "storm" else []))
            cls.server.cli("grant", "add", "alice", "write", name)

    def client(self):
        return boto3.client("s3", endpoint_url=self.server.s3_url, aws_access_key_id=self.keys[0],
                            aws_secret_access_key=self.keys[1], region_name="us-east-1",
                            config=Config(signature_version="s3v4", retries={"max_attempts": 0},
                                          connect_timeout=5, read_timeout=30, max_pool_connections=WRITERS + 2,
                                          s3={"addressing_style": "path"}))

    def check(self, s3, states, keys):
        for key in keys:
            try:
                found = hashlib.sha256(s3.get_object(Bucket="storm", Key=key)["Body"].read()).digest()
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "NoSuchKey", key)
                found = GONE
            self.assertIn(found, states[key], f"{key} holds something that was never its content, or lost it")
            states[key] = {found}

    def check_versions(self, s3, versions):
        for key, (least, most) in versions.items():
            pages = s3.get_paginator("list_object_versions").paginate(Bucket="kept", Prefix=key)
            count = sum(len(page.get("Versions", [])) for page in pages)
            self.assertTrue(least <= count <= most, f"{key}: {count} versions of {least} to {most}")
            versions[key] = [count, count]

    def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(self):
        dice = random.Random(int(os.environ.get("HOLDFAST_KILL_SEED", "1")))
        states, versions = {}, {}
        acknowledged = 0
        slowest = 0.0
        clients = [self.client() for _ in range(WRITERS)]
        s3 = self.client()
        for cycle in range(CYCLES):
            touched_before = {key: set(values) for key, values in states.items()}
            writers = [Writer(i, clients[i], states, versions, cycle, dice.random()) for i in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(dice.uniform(0.1, 0.8))  # the moment of the kill is to be anyone's
            self.server.kill()
            for writer in writers:
                writer.stopped.set()
                writer.join(60)
                self.assertFalse(writer.is_alive())
                self.assertIsNone(writer.refused)
                acknowledged += writer.acknowledged
            begun = time.monotonic()
            self.server.start()
            slowest = max(slowest, time.monotonic() - begun)
            changed = [key for key in states if states[key] != touched_before.get(key)]
            self.check(s3, states, changed if cycle % 10 else list(states))
            self.check_versions(s3, versions)
        self.check(s3, states, list(states))
        self.assertGreater(acknowledged, CYCLES)
        self.assertEqual(self.server.stop(), 0)
        print(f"{CYCLES} kills, {acknowledged} acknowledged writes, none lost, none doubled; "
              f"slowest start {slowest:.2f} s", flush=True)


if __name__ == "__main__":
    unittest.main(warnings="ignore")

"""What the tests with boto3 share: a client, a bucket for each test, errors by their code."""

import urllib.error
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from server import ADMIN, ServerTest


class Boto3Case(ServerTest):
    def client(self, credentials=ADMIN, style="path", **config):
        return boto3.client(
            "s3",
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=credentials[0],
            aws_secret_access_key=credentials[1],
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": style},
                **{"retries": {"max_attempts": 1}, **config},
            ),
        )

    def setUp(self):
        super().setUp()
        self.s3 = self.client()
        self.bucket = "b-" + uuid.uuid4().hex[:12]
        self.s3.create_bucket(Bucket=self.bucket)

    def expect_error(self, code, status, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], code)
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], status)

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def get(self, key, **more):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **more)

    def fetch(self, method, url, data=None, headers=None):
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

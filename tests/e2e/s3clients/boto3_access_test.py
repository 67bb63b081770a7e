"""Who may do what, with boto3: signed URLs, CORS, forms, grants, and the extensions for mounts."""

import base64
import http.client
import json
import socket
import unittest
import unittest.mock
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

from boto3_case import Boto3Case
from server import ADMIN, ALICE, BOB, DROP


class Boto3AccessTest(Boto3Case):
    # --- Signed URLs, CORS, forms

    def test_presigned_urls_work_until_touched(self):
        url = self.s3.generate_presigned_url(
            "put_object", Params={"Bucket": self.bucket, "Key": "signed"})
        self.assertEqual(self.fetch("PUT", url, b"by url")[0], 200)
        url = self.s3.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": "signed",
                                  "ResponseContentDisposition": 'attachment; filename="n"'})
        status, body, headers = self.fetch("GET", url)
        self.assertEqual((status, body), (200, b"by url"))
        self.assertEqual(headers["Content-Disposition"], 'attachment; filename="n"')
        self.assertEqual(self.fetch("GET", url.replace("/signed?", "/other?"))[0], 403)
        self.assertEqual(self.fetch("GET", url + "&versionId=null")[0], 403)
        self.assertEqual(self.fetch("DELETE", url)[0], 403)
        self.assertEqual(self.fetch("GET", url.split("?")[0])[0], 403)
        self.assertEqual(self.fetch("GET", url, headers={"x-amz-checksum-mode": "ENABLED"})[0],
                         403)
        self.assertEqual(self.fetch("GET", url, headers={"Authorization": "AWS4-HMAC-SHA256 x"})[0],
                         400)
        old = self.s3.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": "signed"}, ExpiresIn=604801)
        self.assertIn(self.fetch("GET", old)[0], (400, 403))

    def test_the_console_and_cors_documents_allow_other_origins(self):
        url = f"{self.server.url}/{self.bucket}/k"
        ask = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-amz-y"}
        status, _, headers = self.fetch("OPTIONS", url,
                                        headers={"Origin": "http://localhost:7080", **ask})
        self.assertEqual(status, 200)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "http://localhost:7080")
        self.assertIsNone(headers["Access-Control-Allow-Credentials"])
        other = {"Origin": "https://a.example", **ask}
        self.assertEqual(self.fetch("OPTIONS", url, headers=other)[0], 403)
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": [{
            "AllowedOrigins": ["https://*.example"], "AllowedMethods": ["PUT", "GET"],
            "AllowedHeaders": ["x-amz-*"], "ExposeHeaders": ["ETag"]}]})
        status, _, headers = self.fetch("OPTIONS", url, headers=other)
        self.assertEqual(status, 200)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://a.example")
        evil = {"Origin": "https://example.evil", **ask}
        self.assertEqual(self.fetch("OPTIONS", url, headers=evil)[0], 403)
        self.put("k", b"x")
        signed = self.s3.generate_presigned_url("get_object",
                                                Params={"Bucket": self.bucket, "Key": "k"})
        headers = self.fetch("GET", signed, headers={"Origin": "https://a.example"})[2]
        self.assertEqual(headers["Access-Control-Expose-Headers"], "ETag")

    def form(self, fields, file, name="name.txt"):
        mark = "----form" + uuid.uuid4().hex
        body = b""
        for key, value in fields.items():
            body += (f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n'
                     f"{value}\r\n").encode()
        body += (f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                 "Content-Type: text/plain\r\n\r\n").encode() + file
        body += f"\r\n--{mark}--\r\n".encode()
        return self.fetch("POST", f"{self.server.url}/{self.bucket}", body,
                          {"Content-Type": f"multipart/form-data; boundary={mark}"})

    def test_forms_upload_what_their_policy_allows(self):
        post = self.s3.generate_presigned_post(
            self.bucket, "forms/${filename}", Fields={"x-amz-meta-a": "1"},
            Conditions=[{"x-amz-meta-a": "1"}, ["starts-with", "$key", "forms/"],
                        ["content-length-range", 1, 200_000]])
        data = bytes(range(256)) * 700
        status, answer, headers = self.form(post["fields"], data, "../../up.bin")
        self.assertEqual(status, 204, answer)
        got = self.get("forms/up.bin")
        self.assertEqual(got["Body"].read(), data)
        self.assertEqual(got["Metadata"], {"a": "1"})
        for change, code in (({"x-amz-meta-a": "2"}, b"AccessDenied"),
                             ({"key": "other/x"}, b"AccessDenied"),
                             ({"x-amz-meta-b": "3"}, b"AccessDenied"),
                             ({"x-amz-signature": "0" * 64}, b"SignatureDoesNotMatch")):
            status, answer, _ = self.form({**post["fields"], **change}, b"data")
            self.assertEqual(status, 403, answer)
            self.assertIn(code, answer)
        status, answer, _ = self.form(post["fields"], bytes(200_001), "big")
        self.assertIn(b"EntityTooLarge", answer)
        self.expect_error("NoSuchKey", 404, self.get, key="forms/big")
        self.assertEqual(self.form({"key": "anonymous"}, b"x")[0], 403)

    # --- Rights

    def test_grants_decide_what_each_may_do(self):
        try:
            self.s3.create_bucket(Bucket="research")
        except ClientError:
            pass
        self.s3.put_object(Bucket="research", Key="public/p", Body=b"public")
        self.s3.put_object(Bucket="research", Key="publicity", Body=b"secret")
        self.s3.put_object(Bucket="research", Key="secret/s", Body=b"secret")
        bob = self.client(BOB)
        self.assertEqual(bob.get_object(Bucket="research", Key="public/p")["Body"].read(),
                         b"public")
        listed = bob.list_objects_v2(Bucket="research", Prefix="public/")
        self.assertEqual([item["Key"] for item in listed["Contents"]], ["public/p"])
        denied = [
            (bob.get_object, {"Key": "secret/s"}), (bob.get_object, {"Key": "publicity"}),
            (bob.get_object, {"Key": "no-such-key"}),
            (bob.put_object, {"Key": "public/new", "Body": b""}),
            (bob.delete_object, {"Key": "public/p"}), (bob.list_objects_v2, {}),
            (bob.list_objects_v2, {"Prefix": "public"}), (bob.list_object_versions, {}),
            (bob.list_objects_v2, {"Prefix": "", "Delimiter": "/"}),
            (bob.list_objects_v2, {"Prefix": "secret/", "StartAfter": "public/"}),
            (bob.get_bucket_policy, {}), (bob.delete_bucket, {}),
            (bob.create_multipart_upload, {"Key": "public/m"}),
            (bob.copy_object, {"Key": "public/c", "CopySource": "research/public/p"}),
        ]
        for call, arguments in denied:
            self.expect_error("AccessDenied", 403, call, Bucket="research", **arguments)
        self.expect_error("AccessDenied", 403, bob.create_bucket, Bucket="bobs-own")
        self.assertEqual([b["Name"] for b in bob.list_buckets()["Buckets"]], ["research"])
        alice = self.client(ALICE)
        self.expect_error("AccessDenied", 403, alice.copy_object, Bucket=self.bucket, Key="c",
                          CopySource="research/public/p")
        self.put("mine", b"x")
        self.expect_error("AccessDenied", 403, alice.copy_object, Bucket="research", Key="c",
                          CopySource=f"{self.bucket}/mine")
        answer = bob.delete_objects(Bucket="research", Delete={
            "Objects": [{"Key": "public/p"}, {"Key": "secret/s"}]})
        self.assertEqual({e["Code"] for e in answer["Errors"]}, {"AccessDenied"})
        self.assertEqual(alice.get_object(Bucket="research", Key="secret/s")["Body"].read(),
                         b"secret")
        drop = self.client(DROP)
        drop.put_object(Bucket="research", Key="in/letter", Body=b"x")
        self.expect_error("AccessDenied", 403, drop.get_object, Bucket="research",
                          Key="in/letter")

    def test_wrong_and_unknown_keys_are_refused(self):
        self.expect_error("SignatureDoesNotMatch", 403,
                          self.client((ADMIN[0], "wrong")).list_buckets)
        self.expect_error("InvalidAccessKeyId", 403, self.client(("AKNOBODY", "x")).list_buckets)

    def test_virtual_hosts_name_the_bucket(self):
        resolve = socket.getaddrinfo  # "*.localhost" is known to browsers, not to every resolver
        with unittest.mock.patch("socket.getaddrinfo",
                                 lambda _, *rest, **more: resolve("localhost", *rest, **more)):
            self.check_virtual_host(self.client(style="virtual"))

    def check_virtual_host(self, client):
        client.put_object(Bucket=self.bucket, Key="v/k", Body=b"host")
        self.assertEqual(self.get("v/k")["Body"].read(), b"host")
        self.assertEqual(client.list_objects_v2(Bucket=self.bucket)["KeyCount"], 1)

    # --- Extensions

    def signed_request(self, path, credentials=ADMIN):
        request = botocore.awsrequest.AWSRequest("GET", self.server.url + path)
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(*credentials), "s3", "us-east-1").add_auth(request)
        return request

    def signed(self, path):
        request = self.signed_request(path)
        return self.fetch("GET", request.url, headers=dict(request.headers))

    def test_the_change_feed_tells_of_writes_in_order(self):
        status, body, headers = self.signed(f"/{self.bucket}?events=s3%3A%2A")
        self.assertEqual((status, body), (200, b""))
        since = headers["x-holdfast-next"]
        self.put("p/one", b"1")
        self.put("q/two", b"22")
        self.s3.delete_object(Bucket=self.bucket, Key="p/one")
        _, body, headers = self.signed(
            f"/{self.bucket}?events=s3%3A%2A&prefix=p%2F&since={since}&wait=5")
        lines = [json.loads(line) for line in body.splitlines()]
        self.assertEqual([base64.b64decode(line["key"]) for line in lines], [b"p/one"] * 2)
        self.assertEqual(lines[0]["kind"], "put")
        self.assertEqual(lines[0]["size"], 1)
        self.assertGreater(int(headers["x-holdfast-next"]), int(since))

    def test_a_listener_is_told_of_writes_as_they_happen(self):
        path = (f"/{self.bucket}?prefix=p%2F&suffix=.csv&ping=1"
                "&events=s3%3AObjectCreated%3A%2A&events=s3%3AObjectRemoved%3ADelete")
        request = self.signed_request(path)
        connection = http.client.HTTPConnection("localhost", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=dict(request.headers))
        stream = connection.getresponse()
        self.assertEqual(stream.status, 200)
        self.assertEqual(stream.read(1), b" ", "nothing has happened yet, and that is told")
        for key in ("p/a b.csv", "q/one.csv", "p/one.txt", "p/\u00fc.csv"):
            self.put(key, b"12345")
        self.s3.delete_object(Bucket=self.bucket, Key="p/a b.csv")
        records = [json.loads(stream.readline())["Records"][0] for _ in range(3)]
        self.assertEqual([(r["eventName"], r["s3"]["object"]["key"]) for r in records],
                         [("s3:ObjectCreated:Put", "p/a+b.csv"),
                          ("s3:ObjectCreated:Put", "p/%C3%BC.csv"),
                          ("s3:ObjectRemoved:Delete", "p/a+b.csv")])
        self.assertEqual(records[0]["s3"]["bucket"]["name"], self.bucket)
        self.assertEqual(records[0]["s3"]["object"]["size"], 5)
        sequencers = [r["s3"]["object"]["sequencer"] for r in records]
        self.assertEqual(sequencers, sorted(sequencers))

    def test_who_may_not_read_may_not_listen(self):
        request = self.signed_request(f"/{self.bucket}?prefix=&suffix=&events=s3%3A%2A", BOB)
        status, _, _ = self.fetch("GET", request.url, headers=dict(request.headers))
        self.assertEqual(status, 403)

    def test_the_access_feed_tells_what_is_visible(self):
        status, body, _ = self.signed("/?holdfast-access&epoch=0&wait=1")
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["principal"], "admin")


if __name__ == "__main__":
    unittest.main()

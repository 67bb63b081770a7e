"""boto3 against the S3 service: what data scientists' code does, and what it must not get."""

import base64
import hashlib
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from boto3_case import Boto3Case
from server import ADMIN


class Boto3Test(Boto3Case):
    # --- Objects

    def test_an_object_comes_back_with_its_bytes_metadata_and_etag(self):
        body = b"hello " * 1000
        put = self.put("dir/a b+c%2F.txt", body, ContentType="text/plain",
                       Metadata={"mtime": "1.5"}, CacheControl="no-cache")
        self.assertEqual(put["ETag"], '"' + hashlib.md5(body).hexdigest() + '"')
        got = self.get("dir/a b+c%2F.txt")
        self.assertEqual(got["Body"].read(), body)
        self.assertEqual(got["Metadata"], {"mtime": "1.5"})
        self.assertEqual(got["ContentType"], "text/plain")
        self.assertEqual(got["CacheControl"], "no-cache")
        headers = got["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["content-security-policy"], "sandbox")
        head = self.s3.head_object(Bucket=self.bucket, Key="dir/a b+c%2F.txt")
        self.assertEqual(head["ContentLength"], len(body))

    def test_empty_and_large_objects_come_back(self):
        for size in (0, 1, 131072, 131073, 9_000_001):
            body = bytes(i % 251 for i in range(256)) * (size // 256 + 1)
            body = body[:size]
            self.put("sized", body)
            self.assertEqual(self.get("sized")["Body"].read(), body, size)

    def test_writes_follow_an_empty_one_on_its_connection(self):
        """Debian's botocore takes the connection for cut if no "100 Continue" came for the empty body."""
        one = self.client(max_pool_connections=1, read_timeout=20, retries={"max_attempts": 0})
        for key, body in (("empty", b""), ("next", b"x" * 200_000), ("empty", b""), ("last", b"y")):
            one.put_object(Bucket=self.bucket, Key=key, Body=body)
            self.assertEqual(self.get(key)["Body"].read(), body)

    def test_ranges_give_the_part_that_was_asked(self):
        self.put("r", b"0123456789")
        for header, expected, content_range in (
            ("bytes=0-0", b"0", "bytes 0-0/10"),
            ("bytes=3-", b"3456789", "bytes 3-9/10"),
            ("bytes=-2", b"89", "bytes 8-9/10"),
            ("bytes=8-100", b"89", "bytes 8-9/10"),
        ):
            got = self.get("r", Range=header)
            self.assertEqual(got["Body"].read(), expected)
            self.assertEqual(got["ContentRange"], content_range)
            self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
        self.expect_error("InvalidRange", 416, self.get, key="r", Range="bytes=10-")

    def test_read_conditions_hold(self):
        etag = self.put("c", b"v1")["ETag"]
        self.assertEqual(self.get("c", IfMatch=etag)["Body"].read(), b"v1")
        self.expect_error("PreconditionFailed", 412, self.get, key="c", IfMatch='"other"')
        self.expect_error("304", 304, self.get, key="c", IfNoneMatch=etag)

    def test_a_conditional_put_does_not_overwrite(self):
        def only_new(request, **_):
            request.headers["If-None-Match"] = "*"

        self.put("once", b"v1")
        fresh = self.client()
        fresh.meta.events.register("before-sign.s3.PutObject", only_new)
        self.expect_error("PreconditionFailed", 412, fresh.put_object, Bucket=self.bucket,
                          Key="once", Body=b"v2")
        fresh.put_object(Bucket=self.bucket, Key="new", Body=b"v2")
        self.assertEqual(self.get("once")["Body"].read(), b"v1")

    def test_checksums_are_verified_and_given_back(self):
        for name in ("CRC32", "SHA1", "SHA256"):
            put = self.put("sum", b"data", ChecksumAlgorithm=name)
            got = self.get("sum", ChecksumMode="ENABLED")
            self.assertEqual(got["Checksum" + name], put["Checksum" + name])
        self.expect_error("BadDigest", 400, self.put, key="sum", body=b"other",
                          ChecksumSHA256=base64.b64encode(bytes(32)).decode())
        self.expect_error("BadDigest", 400, self.put, key="sum2",
                          ContentMD5=base64.b64encode(bytes(16)).decode())
        self.expect_error("NoSuchKey", 404, self.get, key="sum2")

    def test_a_body_that_is_not_what_was_signed_is_not_stored(self):
        request = botocore.awsrequest.AWSRequest(
            "PUT", f"{self.server.url}/{self.bucket}/tampered", data=b"signed bytes")
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(*ADMIN), "s3", "us-east-1").add_auth(request)
        # Plain HTTP: boto signs the body.
        self.assertRegex(request.headers["X-Amz-Content-SHA256"], "^[0-9a-f]{64}$")
        for body in (b"altered byte", b""):
            status, answer, _ = self.fetch("PUT", request.url, body, dict(request.headers))
            self.assertEqual(status, 400)
            self.assertIn(b"XAmzContentSHA256Mismatch", answer)
        self.expect_error("NoSuchKey", 404, self.get, key="tampered")

    def test_unknown_names_get_the_right_errors(self):
        self.expect_error("NoSuchKey", 404, self.get, key="none")
        self.expect_error("NoSuchBucket", 404, self.s3.get_object, Bucket="no-such-bucket-1",
                          Key="k")
        self.expect_error("404", 404, self.s3.head_object, Bucket=self.bucket, Key="none")
        self.s3.create_bucket(Bucket=self.bucket)  # us-east-1: its owner may say it again
        self.put("k")
        self.expect_error("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=self.bucket)
        self.expect_error("KeyTooLongError", 400, self.put, key="k" * 1025)
        self.put("k" * 1024)

    def test_metadata_over_two_kibibytes_is_refused(self):
        self.expect_error("MetadataTooLarge", 400, self.put, key="m", Metadata={"a": "x" * 2048})

    def test_hard_keys_stay_what_they_are(self):
        keys = ["//", "a", "a/", "a//b", "a/b", "./x", "../x", "ü/\u00e9", "sp ace", "q?x=1", "h#a",
                "per%cent", "per%2Fcent", "plus+", "new\nline", "\u65e5\u672c"]
        client = self.client()
        for key in keys:
            client.put_object(Bucket=self.bucket, Key=key, Body=key.encode())
        for key in keys:
            self.assertEqual(self.get(key)["Body"].read(), key.encode(), key)
        listed = client.list_objects_v2(Bucket=self.bucket)
        self.assertEqual([item["Key"] for item in listed["Contents"]],
                         sorted(keys, key=lambda k: k.encode()))

    # --- Listings

    def test_listings_page_and_group(self):
        keys = [f"d{i % 3}/k{i:03}" for i in range(60)] + ["top"]
        for key in keys:
            self.put(key)
        for call in ("list_objects", "list_objects_v2"):
            pages = self.s3.get_paginator(call).paginate(
                Bucket=self.bucket, PaginationConfig={"PageSize": 7})
            found = [item["Key"] for page in pages for item in page["Contents"]]
            self.assertEqual(found, sorted(keys))
            pages = self.s3.get_paginator(call).paginate(
                Bucket=self.bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
            prefixes = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
            self.assertEqual(prefixes, ["d0/", "d1/", "d2/"])
        one = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="d1/", StartAfter="d1/k055",
                                      FetchOwner=True)
        self.assertEqual([item["Key"] for item in one["Contents"]], ["d1/k058"])
        self.assertIn("Owner", one["Contents"][0])
        none = self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=0)
        self.assertEqual(none["KeyCount"], 0)
        self.assertFalse(none["IsTruncated"])
        self.expect_error("InvalidArgument", 400, self.s3.list_objects_v2, Bucket=self.bucket,
                          ContinuationToken="!!")

    # --- Versions

    def test_versions_are_kept_listed_and_removed(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket,
                                      VersioningConfiguration={"Status": "Enabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=self.bucket)["Status"], "Enabled")
        first = self.put("v", b"one")["VersionId"]
        second = self.put("v", b"two")["VersionId"]
        marker = self.s3.delete_object(Bucket=self.bucket, Key="v")
        self.assertTrue(marker["DeleteMarker"])
        self.expect_error("NoSuchKey", 404, self.get, key="v")
        self.assertEqual(self.get("v", VersionId=first)["Body"].read(), b"one")
        self.expect_error("MethodNotAllowed", 405, self.get, key="v",
                          VersionId=marker["VersionId"])
        listed = self.s3.list_object_versions(Bucket=self.bucket)
        self.assertEqual([v["VersionId"] for v in listed["Versions"]], [second, first])
        self.assertEqual([m["VersionId"] for m in listed["DeleteMarkers"]], [marker["VersionId"]])
        self.s3.delete_object(Bucket=self.bucket, Key="v", VersionId=marker["VersionId"])
        self.assertEqual(self.get("v")["Body"].read(), b"two")
        self.expect_error("NoSuchVersion", 404, self.get, key="v", VersionId="f" * 32)

    # --- Deleting many

    def test_many_are_deleted_at_once(self):
        for i in range(5):
            self.put(f"k{i}")
        answer = self.s3.delete_objects(
            Bucket=self.bucket,
            Delete={"Objects": [{"Key": f"k{i}"} for i in range(4)] + [{"Key": "absent"}]})
        self.assertEqual(len(answer["Deleted"]), 5)
        listed = self.s3.list_objects_v2(Bucket=self.bucket)
        self.assertEqual([item["Key"] for item in listed["Contents"]], ["k4"])
        quiet = self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": "k4"}], "Quiet": True})
        self.assertNotIn("Deleted", quiet)

    # --- Multipart and copies

    def multipart(self, key, parts, **more):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **more)["UploadId"]
        done = []
        for number, body in enumerate(parts, 1):
            part = self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload,
                                       PartNumber=number, Body=body)
            done.append({"PartNumber": number, "ETag": part["ETag"]})
        return upload, done

    def test_a_multipart_upload_becomes_one_object(self):
        parts = [b"a" * (5 << 20), b"b" * (5 << 20), b"end"]
        upload, done = self.multipart("big", parts, Metadata={"k": "v"})
        listed = self.s3.list_parts(Bucket=self.bucket, Key="big", UploadId=upload)
        self.assertEqual([p["Size"] for p in listed["Parts"]], [len(p) for p in parts])
        uploads = self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([u["UploadId"] for u in uploads], [upload])
        answer = self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": done})
        digest = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
        self.assertEqual(answer["ETag"], f'"{digest}-3"')
        got = self.get("big")
        self.assertEqual(got["Body"].read(), b"".join(parts))
        self.assertEqual(got["Metadata"], {"k": "v"})
        part = self.get("big", PartNumber=3)
        self.assertEqual(part["Body"].read(), b"end")
        self.assertEqual(part["PartsCount"], 3)
        attributes = self.s3.get_object_attributes(
            Bucket=self.bucket, Key="big", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts"])
        self.assertEqual(attributes["ObjectSize"], sum(map(len, parts)))
        self.assertEqual(attributes["ObjectParts"]["TotalPartsCount"], 3)

    def test_bad_completions_are_refused(self):
        upload, done = self.multipart("bad", [b"small", b"parts"])
        complete = self.s3.complete_multipart_upload
        names = {"Bucket": self.bucket, "Key": "bad", "UploadId": upload}
        self.expect_error("EntityTooSmall", 400, complete, **names,
                          MultipartUpload={"Parts": done})
        self.expect_error("InvalidPartOrder", 400, complete, **names,
                          MultipartUpload={"Parts": done[::-1]})
        self.expect_error("InvalidPart", 400, complete, **names, MultipartUpload={
            "Parts": [{"PartNumber": 9, "ETag": done[0]["ETag"]}]})
        self.expect_error("InvalidArgument", 400, self.s3.upload_part, **names, PartNumber=10001,
                          Body=b"x")
        self.s3.abort_multipart_upload(**names)
        self.expect_error("NoSuchUpload", 404, self.s3.list_parts, **names)

    def test_copies_carry_or_replace_attributes(self):
        self.put("src", b"copied", Metadata={"a": "1"}, ContentType="text/x")
        source = {"Bucket": self.bucket, "Key": "src"}
        self.s3.copy_object(Bucket=self.bucket, Key="dst", CopySource=source)
        self.assertEqual(self.get("dst")["Metadata"], {"a": "1"})
        self.s3.copy_object(Bucket=self.bucket, Key="dst", CopySource=source,
                            MetadataDirective="REPLACE", Metadata={"b": "2"})
        got = self.get("dst")
        self.assertEqual(got["Metadata"], {"b": "2"})
        self.assertEqual(got["Body"].read(), b"copied")
        self.expect_error("InvalidRequest", 400, self.s3.copy_object, Bucket=self.bucket,
                          Key="src", CopySource=source)
        self.expect_error("PreconditionFailed", 412, self.s3.copy_object, Bucket=self.bucket,
                          Key="dst", CopySource=source, CopySourceIfMatch='"other"')

    def test_parts_are_copied_from_ranges(self):
        self.put("src", bytes(range(256)) * 40960)
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="mp")["UploadId"]
        done = []
        for number, span in enumerate(((0, 6_000_000), (6_000_001, 10_485_759)), 1):
            part = self.s3.upload_part_copy(
                Bucket=self.bucket, Key="mp", UploadId=upload, PartNumber=number,
                CopySource={"Bucket": self.bucket, "Key": "src"},
                CopySourceRange=f"bytes={span[0]}-{span[1]}")
            done.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="mp", UploadId=upload,
                                          MultipartUpload={"Parts": done})
        self.assertEqual(self.get("mp")["Body"].read(), bytes(range(256)) * 40960)

    def test_the_transfer_manager_moves_large_files(self):
        data = bytes(range(251)) * 100_000
        path = self.write("up", data)
        self.s3.upload_file(path, self.bucket, "file")
        self.s3.download_file(self.bucket, "file", path + ".back")
        self.assertEqual(self.read("up.back"), data)

    # --- Small state

    def test_tags_are_put_read_and_deleted(self):
        self.put("t", Tagging="a=1&b=2%20x")
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key="t")["TagSet"]
        self.assertEqual(tags, [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2 x"}])
        self.s3.put_object_tagging(Bucket=self.bucket, Key="t",
                                   Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
        self.assertEqual(self.get("t")["TagCount"], 1)
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="t")
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="t")["TagSet"], [])

    def test_bucket_documents_are_kept(self):
        s3, name = self.s3, {"Bucket": self.bucket}
        self.expect_error("NoSuchLifecycleConfiguration", 404,
                          s3.get_bucket_lifecycle_configuration, **name)
        rules = [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""},
                  "NoncurrentVersionExpiration": {"NoncurrentDays": 90}}]
        s3.put_bucket_lifecycle_configuration(**name, LifecycleConfiguration={"Rules": rules})
        self.assertEqual(s3.get_bucket_lifecycle_configuration(**name)["Rules"], rules)
        s3.delete_bucket_lifecycle(**name)
        self.expect_error("NoSuchLifecycleConfiguration", 404,
                          s3.get_bucket_lifecycle_configuration, **name)
        self.expect_error("NoSuchTagSet", 404, s3.get_bucket_tagging, **name)
        self.expect_error("NoSuchBucketPolicy", 404, s3.get_bucket_policy, **name)
        self.expect_error("MalformedPolicy", 400, s3.put_bucket_policy, **name, Policy="{")
        self.assertTrue(s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"]
                        ["BlockPublicAcls"])
        self.assertIsNone(s3.get_bucket_location(**name)["LocationConstraint"])
        self.assertEqual(s3.get_bucket_acl(**name)["Grants"][0]["Permission"], "FULL_CONTROL")
        self.expect_error("AccessDenied", 403, s3.put_object, **name, Key="p", Body=b"",
                          ACL="public-read")

    def test_object_lock_keeps_a_version(self):
        bucket = self.bucket + "-lock"
        self.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        version = self.s3.put_object(Bucket=bucket, Key="k", Body=b"x",
                                     ObjectLockLegalHoldStatus="ON")["VersionId"]
        name = {"Bucket": bucket, "Key": "k", "VersionId": version}
        self.assertEqual(self.s3.get_object_legal_hold(**name)["LegalHold"]["Status"], "ON")
        self.expect_error("AccessDenied", 403, self.s3.delete_object, **name)
        self.s3.put_object_legal_hold(**name, LegalHold={"Status": "OFF"})
        self.s3.delete_object(**name)


if __name__ == "__main__":
    unittest.main()

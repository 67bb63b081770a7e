// The AWS SDK for JavaScript v3 against an S3 endpoint; node js_sdk.mjs ENDPOINT. Its defaults are
// left as they are (checksums, chunked bodies), but for the address style.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CreateBucketCommand, CopyObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectsV2Command, PutObjectCommand, S3Client, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const Bucket = "javascript";
const client = new S3Client({ endpoint: process.argv[2], region: "us-east-1", forcePathStyle: true });
const bytes = async (body) => Buffer.from(await body.transformToByteArray());
const get = async (Key) => bytes((await client.send(new GetObjectCommand({ Bucket, Key }))).Body);

await client.send(new CreateBucketCommand({ Bucket }));

const body = randomBytes(300_000);
await client.send(new PutObjectCommand({ Bucket, Key: "a b/ü", Body: body, Metadata: { colour: "blue" } }));
assert.deepEqual(await get("a b/ü"), body);
const head = await client.send(new HeadObjectCommand({ Bucket, Key: "a b/ü", ChecksumMode: "ENABLED" }));
assert.equal(head.Metadata.colour, "blue");
assert.ok(head.ChecksumCRC32, "the default checksum is kept");

// A stream of known length goes chunked, with a checksum behind it.
await client.send(new PutObjectCommand({
  Bucket, Key: "stream", Body: Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]),
  ContentLength: body.length,
}));
assert.deepEqual(await get("stream"), body);

for (const ChecksumAlgorithm of ["CRC32C", "SHA1", "SHA256"]) {
  await client.send(new PutObjectCommand({ Bucket, Key: "sum", Body: "text", ChecksumAlgorithm }));
  assert.equal((await get("sum")).toString(), "text");
}

const large = randomBytes(12 << 20);
await new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from([large]) } }).done();
assert.deepEqual(await get("large"), large);

await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/large` }));
const seen = [];
for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
  seen.push(...page.Contents.map((row) => row.Key));
}
assert.deepEqual(seen, ["a b/ü", "copy", "large", "stream", "sum"]);

const url = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "stream" }), { expiresIn: 60 });
assert.deepEqual(Buffer.from(await (await fetch(url)).arrayBuffer()), body);
const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "by-link" }), { expiresIn: 60 });
const answer = await fetch(put, { method: "PUT", body });
assert.equal(answer.status, 200, await answer.text());
assert.deepEqual(await get("by-link"), body);

const post = await createPresignedPost(client, {
  Bucket, Key: "by-form", Conditions: [["content-length-range", 1, 1000]], Expires: 60,
});
const form = new FormData();
for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
form.append("file", new Blob(["from a form"]));
assert.equal((await fetch(post.url, { method: "POST", body: form })).status, 204);
assert.equal((await get("by-form")).toString(), "from a form");

await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "none" })), { name: "NoSuchKey" });
await assert.rejects(
  client.send(new PutObjectCommand({ Bucket, Key: "sum", Body: "x", IfNoneMatch: "*" })),
  { name: "PreconditionFailed" });

const rows = (await client.send(new ListObjectsV2Command({ Bucket }))).Contents;
await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: rows.map(({ Key }) => ({ Key })) } }));
assert.equal((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);

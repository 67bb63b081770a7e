// Uploads from the browser straight to signed URLs: single PUTs for small files, parallel multipart
// for large ones. The web listener only signs; it never sees the bytes.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";

import { post } from "./api";

const multipartFrom = 16 * 1024 * 1024;
const signAhead = 50;

export interface Target {
  bucket: string;
  prefix: string;
}
export type Meta = { bucket: string; key: string; relativePath?: string | null; name: string; mtime?: string };

interface Upload {
  partBytes: number;
  parts: number;
  urls: Map<number, Promise<string>>;
}
interface Part {
  number: number;
  etag: string;
  size: number;
}

// Signs a run of parts at once, so that 10,000 parts cost 200 calls.
function partUrl(upload: Upload, meta: Meta, uploadId: string, number: number): Promise<string> {
  const known = upload.urls.get(number);
  if (known) return known;
  const numbers: number[] = [];
  for (let n = number; n <= upload.parts && numbers.length < signAhead; n += 1) {
    if (!upload.urls.has(n)) numbers.push(n);
  }
  const batch = post<{ urls: Record<string, string>; seconds: number }>("uploads/sign", {
    bucket: meta.bucket,
    key: meta.key,
    upload_id: uploadId,
    numbers,
  });
  for (const n of numbers) {
    upload.urls.set(
      n,
      batch.then((answer) => answer.urls[String(n)]),
    );
  }
  // A signature that expires soon or failed must not be kept.
  const forget = () => numbers.forEach((n) => upload.urls.delete(n));
  batch.then((answer) => window.setTimeout(forget, (answer.seconds * 1000 * 2) / 3), forget);
  return upload.urls.get(number)!;
}

export function makeUppy(): Uppy<Meta, Record<string, never>> {
  const uppy = new Uppy<Meta, Record<string, never>>({ autoProceed: true });
  const uploads = new Map<string, Upload>();
  const metaOf = (file: { meta: unknown }): Meta => file.meta as Meta;
  uppy.use(AwsS3, {
    limit: 6,
    shouldUseMultipart: (file) => (file.size ?? 0) > multipartFrom,
    getChunkSize: (file) => {
      // The same rule as the server's: at most 10,000 parts of at least 8 MiB.
      const mebibyte = 1024 * 1024;
      const least = Math.ceil((file as { size: number }).size / 10_000 / mebibyte) * mebibyte;
      return Math.max(8 * mebibyte, least);
    },
    getUploadParameters: async (file) => {
      const meta = metaOf(file);
      const answer = await post<{ url: string; headers: Record<string, string> }>("files/sign", {
        bucket: meta.bucket,
        key: meta.key,
        method: "PUT",
        metadata: meta.mtime ? { mtime: meta.mtime } : {},
      });
      return { method: "PUT", url: answer.url, headers: answer.headers };
    },
    createMultipartUpload: async (file) => {
      const meta = metaOf(file);
      const made = await post<{ upload_id: string; part_bytes: number; parts: number }>("uploads", {
        bucket: meta.bucket,
        key: meta.key,
        size: file.size,
        content_type: file.type ?? "",
        metadata: meta.mtime ? { mtime: meta.mtime } : {},
      });
      uploads.set(made.upload_id, { partBytes: made.part_bytes, parts: made.parts, urls: new Map() });
      return { uploadId: made.upload_id, key: meta.key };
    },
    signPart: async (file, { uploadId, partNumber }) => {
      const upload = uploads.get(uploadId) ?? { partBytes: 0, parts: partNumber, urls: new Map() };
      return { url: await partUrl(upload, metaOf(file), uploadId, partNumber) };
    },
    listParts: async (file, { uploadId }) => {
      const meta = metaOf(file);
      const answer = await post<{ parts: Part[] }>("uploads/parts", {
        bucket: meta.bucket,
        key: meta.key,
        upload_id: uploadId,
      });
      return answer.parts.map((part) => ({ PartNumber: part.number, Size: part.size, ETag: part.etag }));
    },
    completeMultipartUpload: async (file, { uploadId, parts }) => {
      const meta = metaOf(file);
      await post("uploads/complete", {
        bucket: meta.bucket,
        key: meta.key,
        upload_id: uploadId ?? "",
        parts: parts.map((part) => ({ number: part.PartNumber, etag: part.ETag ?? "" })),
      });
      uploads.delete(uploadId ?? "");
      return {};
    },
    abortMultipartUpload: async (file, { uploadId }) => {
      const meta = metaOf(file);
      if (uploadId) {
        await post("uploads/abort", { bucket: meta.bucket, key: meta.key, upload_id: uploadId });
        uploads.delete(uploadId);
      }
    },
  });
  return uppy;
}

export interface Picked {
  file: File;
  path: string; // with the folders it lies in
}

export function addFiles(uppy: Uppy<Meta, Record<string, never>>, target: Target, picked: Picked[]): void {
  for (const { file, path } of picked) {
    uppy.addFile({
      name: path,
      type: file.type,
      data: file,
      meta: {
        name: file.name,
        relativePath: path,
        bucket: target.bucket,
        key: target.prefix + path,
        mtime: (file.lastModified / 1000).toString(),
      },
    });
  }
}

export function pickedFromInput(list: FileList): Picked[] {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

function readEntries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function walk(entry: FileSystemEntry, folder: string, out: Picked[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    out.push({ file, path: folder + entry.name });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader answers at most 100 entries a call.
  for (let batch = await readEntries(reader); batch.length > 0; batch = await readEntries(reader)) {
    for (const child of batch) await walk(child, `${folder}${entry.name}/`, out);
  }
}

// What was dragged in, folders with all that is in them.
export async function pickedFromDrop(data: DataTransfer): Promise<Picked[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const out: Picked[] = [];
  for (const entry of entries) await walk(entry, "", out);
  return out;
}

// Which calls of the console's API are tried again, and when: gateway/console/src/api.ts with a
// fetch() and a clock of our own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { beforeEach, mock, test } from "node:test";

const folder = new URL("../../../gateway/console/", import.meta.url);
const typescript = createRequire(folder)("typescript");
const { outputText } = typescript.transpileModule(readFileSync(new URL("src/api.ts", folder), "utf8"), {
  compilerOptions: { module: typescript.ModuleKind.ESNext, target: typescript.ScriptTarget.ES2022 },
});
const api = await import(`data:text/javascript;base64,${Buffer.from(outputText).toString("base64")}`);

const dropped = () => Promise.reject(new TypeError("Failed to fetch"));
const says = (status, text) => () => Promise.resolve(new Response(text, { status }));
const cut = () =>
  Promise.resolve(
    new Response(
      new ReadableStream({
        pull(stream) {
          stream.error(new TypeError("network error"));
        },
      }),
    ),
  );

let asked, waits;
// The answers to come, one a try; each wait is over at once and written down.
function network(...answers) {
  asked = [];
  globalThis.fetch = (url, init) => {
    asked.push(`${init.method} ${url}`);
    assert.ok(asked.length <= answers.length, "asked more often than expected");
    return answers[asked.length - 1]();
  };
}

beforeEach(() => {
  waits = [];
  mock.restoreAll();
  mock.method(globalThis, "setTimeout", (done, milliseconds) => {
    waits.push(milliseconds);
    queueMicrotask(done);
  });
});

test("a read that got no answer is tried again twice, after short waits", async () => {
  network(dropped, dropped, says(200, '{"tools":[]}'));
  assert.deepEqual(await api.get("tools", { a: "b" }), { tools: [] });
  assert.deepEqual(asked, Array(3).fill("GET /api/v1/tools?a=b"));
  assert.deepEqual(waits, [200, 800]);
});

test("so is one whose answer broke off", async () => {
  network(cut, says(200, "{}"));
  assert.deepEqual(await api.get("tools"), {});
  assert.equal(asked.length, 2);
});

test("the third failure is told", async () => {
  network(dropped, dropped, dropped);
  await assert.rejects(api.get("tools"), TypeError);
  assert.equal(asked.length, 3);
});

test("an answer is an answer, whatever it says", async () => {
  network(says(503, '{"error":{"message":"not now"}}'));
  await assert.rejects(api.get("tools"), { name: "Error", status: 503, message: "not now" });
  network(says(200, "no JSON"));
  await assert.rejects(api.get("tools"), { status: 200 });
  assert.deepEqual(waits, []);
});

test("what changes something is asked for once: it may have been done", async () => {
  for (const change of [() => api.post("grants", {}), () => api.remove("grants/1")]) {
    network(dropped);
    await assert.rejects(change, TypeError);
    assert.equal(asked.length, 1);
  }
  assert.deepEqual(waits, []);
});

test("an error of our own is no reason to ask again", async () => {
  network(() => Promise.reject(new RangeError("a bug")));
  await assert.rejects(api.get("tools"), RangeError);
  assert.equal(asked.length, 1);
});

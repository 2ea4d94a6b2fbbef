// Runs the HTTP Observatory's own retriever and tests on peers with ports of their own; one JSON object a line.
// Its command line knows no ports, so its modules are called as its scanner calls them.
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const load = (file) => import(pathToFileURL(path.join(process.argv[2], "src", file)).href);
const { retrieve } = await load("retriever/retriever.js");
const { ALL_TESTS } = await load("constants.js");

async function scan({ host, httpPort, httpsPort }) {
  const seen = await retrieve(host, { httpPort, httpsPort });
  if (!seen.responses.auto) return { error: "the site seems to be down" };
  const { status } = seen.responses.auto; // as its scan() does before its tests
  if (status >= 400 && ![401, 403].includes(status)) return { error: `unexpected status ${status}` };
  const failed = ALL_TESTS.map((test) => test(seen)).filter((result) => !result.pass);
  return { failed: failed.map((result) => result.result) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const answer = await scan(JSON.parse(line)).catch((error) => ({ error: String(error.message) }));
  console.log(JSON.stringify(answer));
}

// The peer: a JSONata expression that maps the ten chief resources of the referral, timed.
// Input: the message's segments with their fields split into components. Output: JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const jsonata = createRequire(process.env.JSONATA + "/node_modules/")("jsonata");
const message = JSON.parse(readFileSync(0, "utf8"));
const times = Number(process.argv[2]);
const expression = jsonata(readFileSync(new URL("./referral.jsonata", import.meta.url), "utf8"));

const seconds = [];
let bundle;
for (let round = 0; round < times + 20; round++) {
  const started = process.hrtime.bigint();
  bundle = await expression.evaluate(message);
  if (round >= 20) seconds.push(Number(process.hrtime.bigint() - started) / 1e9);
}
seconds.sort((one, other) => one - other);
console.log(JSON.stringify({
  seconds: seconds[Math.floor(seconds.length / 2)],
  entries: bundle.entry.length,
}));

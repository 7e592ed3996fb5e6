/* A headless Chromium, driven over standard input and output: a line of JSON each way.
 *
 *	node chromium.js /usr/bin/chromium
 *
 * In: ["open", number, url], ["run", number, expression], ["click", number, selector]. Each is answered with ["answer", number, value] or ["failed", number, message]. Out
 * besides: ["console", text], ["socket", url] (a WebSocket that it opens), ["request", method, url]. It ends with
 * its input. Nothing but this machine is to be found from inside. */
"use strict";
const readline = require("readline");
const { chromium } = require("playwright-core");

const say = (...words) => process.stdout.write(JSON.stringify(words) + "\n");
const flags = [
	"--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

async function main() {
	const browser = await chromium.launch({ executablePath: process.argv[2], args: flags, headless: true });
	const page = await (await browser.newContext()).newPage();

	page.on("console", (message) => say("console", message.text()));
	page.on("pageerror", (e) => say("console", String(e)));
	page.on("websocket", (socket) => say("socket", socket.url()));
	page.on("request", (request) => say("request", request.method(), request.url()));
	const commands = {
		open: (url) => page.goto(url).then(() => null),
		run: (expression) => page.evaluate(expression),
		click: (selector) => page.click(selector, { timeout: 10000 }),
	};
	readline.createInterface({ input: process.stdin })
		.on("line", (line) => {
			const [name, number, ...args] = JSON.parse(line);

			commands[name](...args).then((value) => say("answer", number, value ?? null), (e) => say("failed", number, e.message));
		})
		.on("close", () => browser.close().then(() => process.exit(0)));
	say("ready", browser.version());
}
main().catch((e) => { console.error(e); process.exit(1); });

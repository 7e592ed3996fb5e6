/* One WebSocket of the ws package, driven over its standard input and output: a line of JSON each way.
 *
 *	node ws.js URL '["subprotocol", …]' '{…options of ws}'
 *
 * Out: ["open", subprotocol, extensions], ["frame", …what it parses to], ["closed", code, reason], ["pong", text],
 * ["refused", status], ["error", message]. In: ["send", text], ["binary", text], ["large", bytes] (a text of so many),
 * ["ping", text], ["close", code, reason]. ws offers permessage-deflate unless it is told not to. It ends with its input. */
"use strict";
const readline = require("readline");
const WebSocket = require("ws");

const [url, protocols, options] = process.argv.slice(2);
const say = (...words) => process.stdout.write(JSON.stringify(words) + "\n");
const socket = new WebSocket(url, JSON.parse(protocols), JSON.parse(options));

socket.on("open", () => say("open", socket.protocol, socket.extensions));
socket.on("message", (data, isBinary) => say(isBinary ? "binary" : "frame", isBinary ? data.length : JSON.parse(data)));
socket.on("pong", (data) => say("pong", data.toString()));
socket.on("close", (code, reason) => say("closed", code, reason.toString()));
socket.on("unexpected-response", (request, response) => { say("refused", response.statusCode); request.destroy(); });
socket.on("error", (e) => say("error", e.message));

const commands = {
	send: (text) => socket.send(text),
	binary: (text) => socket.send(Buffer.from(text)),
	large: (bytes) => socket.send("x".repeat(bytes)),
	ping: (text) => socket.ping(text),
	close: (code, reason) => socket.close(code, reason),
};
readline.createInterface({ input: process.stdin })
	.on("line", (line) => { const [name, ...args] = JSON.parse(line); commands[name](...args); })
	.on("close", () => process.exit(0));

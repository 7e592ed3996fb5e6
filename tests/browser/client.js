/* One socket.io-client, driven over its standard input and output: a line of JSON each way.
 *
 *	node client.js URL '{"auth":{…},"transports":[…]}'
 *
 * Out: ["connect", recovered], ["connect_error", message, data], ["disconnect", reason],
 * ["event", name, …arguments], ["ack", number, …arguments]. In: ["emit", name, …],
 * ["ask", number, name, …] (with an acknowledgement), ["transport", number], ["auth", {…}], ["drop"] (the transport, as a lost
 * network does), ["forge"] (its pid says from
 * now on that it began earlier), ["connect"], ["disconnect"]. It ends with its input. */
"use strict";
const readline = require("readline");
const { io } = require("socket.io-client");

const say = (...words) => process.stdout.write(JSON.stringify(words) + "\n");
const socket = io(process.argv[2], {
	reconnectionDelay: 50, reconnectionDelayMax: 200, timeout: 5000, ...JSON.parse(process.argv[3] || "{}"),
});

socket.on("connect", () => say("connect", socket.recovered));
socket.on("connect_error", (e) => say("connect_error", e.message, e.data ?? null));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((name, ...args) => say("event", name, ...args));

const commands = {
	emit: (name, ...args) => socket.emit(name, ...args),
	ask: (number, name, ...args) => socket.timeout(5000).emit(name, ...args, (e, ...answer) =>
		say("ack", number, ...(e ? [e.message] : answer))),
	transport: (number) => say("ack", number, socket.io.engine.transport.name),
	auth: (auth) => { socket.auth = auth; },
	drop: () => socket.io.engine.close(),
	forge: () => { socket._pid = socket._pid.replace(/~\d{16}~/, "~0000000000000000~"); },
	connect: () => socket.connect(),
	disconnect: () => socket.disconnect(),
};
readline.createInterface({ input: process.stdin })
	.on("line", (line) => { const [name, ...args] = JSON.parse(line); commands[name](...args); })
	.on("close", () => process.exit(0));

/* What the ws package makes of the conformance server, permessage-deflate offered:
 *
 *	node ws_echo.js URL
 *
 * Ends with 1 and says which check failed. */
"use strict";
const assert = require("assert");
const { once } = require("events");
const WebSocket = require("ws");

const url = process.argv[2];
const MIB = 1 << 20;
const bytes = (length) => Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));

async function connected(options = {}) {
	const socket = new WebSocket(url, options);

	await once(socket, "open");
	assert.strictEqual(socket.extensions, "");
	return socket;
}

async function comes_back(socket, data, isBinary) {
	const [back, wasBinary] = await once(socket, "message");

	assert.strictEqual(wasBinary, isBinary);
	assert.ok(back.equals(Buffer.from(data)), `${back.length} bytes came back for ${data.length}`);
}

const checks = {
	async "binary of all sizes"() {
		const socket = await connected();

		for (const size of [0, 1, 125, 126, 65535, 65536, MIB, 16 * MIB]) {
			socket.send(bytes(size));
			await comes_back(socket, bytes(size), true);
		}
		return socket;
	},
	async "text of all sizes"() {
		const socket = await connected();

		for (const size of [0, 1, 60, 30000, MIB, 8 * MIB]) {
			socket.send("ü".repeat(size));
			await comes_back(socket, "ü".repeat(size), false);
		}
		return socket;
	},
	async "fragments, and a ping between them"() {
		const socket = await connected();
		const pong = once(socket, "pong");

		socket.send("one ", { fin: false });
		socket.ping("between");
		socket.send("two ", { fin: false });
		socket.send("three", { fin: true });
		await comes_back(socket, "one two three", false);
		assert.strictEqual((await pong)[0].toString(), "between");
		for (let piece = 0; piece < 16; piece++)
			socket.send(bytes(MIB), { fin: piece === 15 });
		await comes_back(socket, Buffer.concat(Array(16).fill(bytes(MIB))), true);
		return socket;
	},
	async "three hundred messages in their order"() {
		const socket = await connected();
		const seen = [];

		for (let n = 0; n < 300; n++)
			socket.send(String(n));
		await new Promise((done) => socket.on("message", (data) => seen.push(Number(data)) === 300 && done()));
		assert.deepStrictEqual(seen, Array.from({ length: 300 }, (_, n) => n));
		return socket;
	},
	async "the offer with all its parameters is declined"() {
		return connected({ perMessageDeflate: { serverNoContextTakeover: true, clientMaxWindowBits: 10, threshold: 0 } });
	},
	async "no offer at all"() {
		const socket = await connected({ perMessageDeflate: false });

		socket.send("plain");
		await comes_back(socket, "plain", false);
		return socket;
	},
	async "one byte over 16 MiB is 1009"() {
		const socket = await connected();

		socket.on("error", () => {}); /* that its sending was cut short */
		socket.send(bytes(16 * MIB + 1));
		assert.strictEqual((await once(socket, "close"))[0], 1009);
		return null;
	},
	async "close codes come back"() {
		for (const code of [1000, 1001, 3000, 4999]) {
			const socket = await connected();

			socket.close(code, "a reason");
			assert.strictEqual((await once(socket, "close"))[0], code);
		}
		return null;
	},
};

async function judge([name, check]) {
	const patience = setTimeout(() => { console.error(`${name}: no answer`); process.exit(1); }, 90000);

	try {
		const socket = await check();

		if (socket) {
			socket.close(1000);
			assert.strictEqual((await once(socket, "close"))[0], 1000);
		}
	} catch (e) {
		console.error(`${name}: ${e.stack}`);
		process.exit(1);
	}
	clearTimeout(patience);
}

/* All at once: most of the time is spent waiting. */
Promise.all(Object.entries(checks).map(judge));

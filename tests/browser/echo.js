/* What socket.io-client makes of the conformance server, over one kind of transport:
 *
 *	node echo.js URL polling|websocket|upgrade
 *
 * Ends with 1 and says which check failed. */
"use strict";
const assert = require("assert");
const { io, Manager } = require("socket.io-client");
const { Socket: Transport } = require("engine.io-client");

const [url, kind] = process.argv.slice(2);
const transports = kind === "upgrade" ? ["polling", "websocket"] : [kind];
const options = { transports, forceNew: true, reconnection: false, timeout: 5000 };
const once = (emitter, name) => new Promise((done) => emitter.once(name, (...args) => done(args)));
const bytes = (length, seed) => Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed) & 255));

async function connected(path = "/", more = {}) {
	const socket = io(url + path, { ...options, ...more });
	const auth = once(socket, "auth");

	await once(socket, "connect");
	socket.said = (await auth)[0];
	return socket;
}

const checks = {
	async "connects with its auth"() {
		const socket = await connected("/", { auth: { token: "123", deep: [{ ü: "☃" }] } });

		assert.deepStrictEqual(socket.said, { token: "123", deep: [{ ü: "☃" }] });
		return [socket];
	},
	async "an event comes back as it went"() {
		const socket = await connected();
		const args = [1, "zwei ☃ \u2028", { 3: [true, null] }, -1.5e3];

		socket.emit("message", ...args);
		assert.deepStrictEqual(await once(socket, "message-back"), args);
		return [socket];
	},
	async "binary comes back, in its places"() {
		const socket = await connected();
		const args = [bytes(5, 1), "between", { deep: [bytes(0, 0), bytes(70000, 2)] }];

		socket.emit("message", ...args);
		const back = await once(socket, "message-back");

		assert.deepStrictEqual(Buffer.from(back[0]), args[0]);
		assert.strictEqual(back[1], "between");
		assert.deepStrictEqual(Buffer.from(back[2].deep[0]), args[2].deep[0]);
		assert.deepStrictEqual(Buffer.from(back[2].deep[1]), args[2].deep[1]);
		return [socket];
	},
	async "acknowledgements come with their arguments, binary too"() {
		const socket = await connected();
		const first = await socket.emitWithAck("message-with-ack", { a: [1] });
		const second = await socket.emitWithAck("message-with-ack", bytes(300, 3));

		assert.deepStrictEqual(first, { a: [1] });
		assert.deepStrictEqual(Buffer.from(second), bytes(300, 3));
		return [socket];
	},
	async "order holds over three hundred events"() {
		const socket = await connected();
		const seen = [];
		const all = new Promise((done) => socket.on("message-back", (n) => seen.push(n) === 300 && done()));

		for (let n = 0; n < 300; n++)
			socket.emit("message", n);
		await all;
		assert.deepStrictEqual(seen, Array.from({ length: 300 }, (_, n) => n));
		return [socket];
	},
	async "two namespaces share one session, and one may leave"() {
		const manager = new Manager(url, { transports, reconnection: false });
		const main = manager.socket("/"), custom = manager.socket("/custom");

		await Promise.all([once(main, "connect"), once(custom, "connect")]);
		custom.emit("message", "c");
		assert.deepStrictEqual(await once(custom, "message-back"), ["c"]);
		custom.disconnect();
		main.emit("message", "m");
		assert.deepStrictEqual(await once(main, "message-back"), ["m"]);
		custom.connect();
		await once(custom, "connect");
		return [main, custom];
	},
	async "an unknown namespace is refused"() {
		const socket = io(url + "/nowhere", options);
		const [e] = await once(socket, "connect_error");

		assert.strictEqual(e.message, "Invalid namespace");
		return [socket];
	},
	async "what the protocol forbids ends the session"() {
		const sequences = [
			[], /* no namespace in time */
			["abc"], ["2[\"message\"]"], ["3[]"], ["1"], ["0", "0"], ["0", "4{}"], ["0", "2{}"], ["0", "9"], ["0", ""],
			["0", "2abc[\"message\"]"], ["0", "2/custom,[\"message\"]"], ["0", bytes(3, 0)],
			["0", "51-[\"message\",{\"_placeholder\":true,\"num\":0}]", "2[\"message\"]"],
		];

		await Promise.all(sequences.map((packets) => new Promise((done) => {
			const transport = new Transport(url, { path: "/socket.io/", transports });

			transport.on("open", () => packets.forEach((packet) => transport.send(packet)));
			transport.on("close", done);
		})));
		return [];
	},
	async "it outlives its pings"() {
		const socket = await connected();
		let ended = null;

		socket.on("disconnect", (reason) => { ended = reason; });
		for (let pings = 0; pings < 3; pings++)
			await once(socket.io, "ping");
		assert.strictEqual(ended, null);
		socket.emit("message", "still");
		assert.deepStrictEqual(await once(socket, "message-back"), ["still"]);
		assert.strictEqual(socket.io.engine.transport.name, kind === "polling" ? "polling" : "websocket");
		return [socket];
	},
};

(async () => {
	for (const [name, check] of Object.entries(checks)) {
		const patience = setTimeout(() => { console.error(`${name}: no answer`); process.exit(1); }, 10000);

		try {
			for (const socket of await check())
				socket.disconnect();
		} catch (e) {
			console.error(`${name}: ${e.stack}`);
			process.exit(1);
		}
		clearTimeout(patience);
	}
	process.exit(0);
})();

// SPDX-License-Identifier: Apache-2.0
// node interop.js client|server PORT BUNDLE CA: Node's TLS with the bundle.p12 of "seal cert issue".
// client: two requests, the second with the session of the first; server: HTTPS, for ever.
'use strict';
const fs = require('fs');
const https = require('https');

const [mode, port, bundle, ca] = process.argv.slice(2);
const credential = { pfx: fs.readFileSync(bundle), passphrase: '', ca: fs.readFileSync(ca) };

function request(agent) {
	return new Promise((resolve, reject) => {
		const call = https.get({ ...credential, agent, host: 'db.example.com', port, path: '/' }, (answer) => {
			const reused = answer.socket.isSessionReused();
			let text = '';
			answer.on('data', (piece) => { text += piece; });
			answer.on('end', () => {
				console.log(text.trim() + (reused ? ' resumed' : ' full'));
				resolve();
			});
		});
		call.on('error', reject);
	});
}

async function client() {
	const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 10 });
	await request(agent);
	await request(agent);
}

function server() {
	const options = { ...credential, requestCert: true, rejectUnauthorized: true };
	https.createServer(options, (call, answer) => {
		answer.end(`served ${call.socket.isSessionReused() ? 'resumed' : 'full'}\n`);
	}).listen(Number(port), '127.0.0.1');
}

if (mode === 'client') {
	client().catch((error) => {
		console.error(error);
		process.exit(1);
	});
} else {
	server();
}

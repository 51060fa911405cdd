// Calls lymph services from JavaScript: docs/protocol.md over the ZeroMQ and msgpack packages of npm.
//
//     node client.js tcp://127.0.0.1:4123 echo.upper '{"text": "foo"}'
'use strict';

const { randomBytes } = require('node:crypto');
const { decode, encode, ExtensionCodec } = require('@msgpack/msgpack');
const { Dealer } = require('zeromq');

const text = new TextDecoder();
const bytes = new TextEncoder();

// What msgpack does not know travels as extension types. JavaScript has no time of day, day or decimal
// number of its own, so those stay text.
const codec = new ExtensionCodec();
codec.register({
    type: 1,
    encode: (value) => (value instanceof Set ? encode([...value], { extensionCodec: codec }) : null),
    decode: (payload) => new Set(decode(payload, { extensionCodec: codec })),
});
codec.register({
    type: 2,
    encode: (value) => (value instanceof Date ? bytes.encode(value.toISOString().replace('Z', '+00:00')) : null),
    decode: (payload) => new Date(text.decode(payload)),
});
for (const type of [3, 4, 6]) {
    codec.register({ type, encode: () => null, decode: (payload) => text.decode(payload) });
}
codec.register({
    type: 5,
    encode: () => null,
    decode: (payload) => Buffer.from(payload).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
});

const pack = (value) => encode(value, { extensionCodec: codec });
const unpack = (data) => decode(data, { extensionCodec: codec });

// A call that did not return a result. `executed` says whether its method ran: no, maybe or yes.
class CallError extends Error {
    constructor(message, executed, details = {}) {
        super(message);
        this.name = 'CallError';
        this.executed = executed;
        Object.assign(this, details);
    }
}

class Client {
    constructor(endpoint) {
        this.endpoint = endpoint;
        this.pending = new Map();
        this.socket = new Dealer({ linger: 0 });
        this.socket.connect(endpoint);
        this.reading = this.read();
    }

    // Resolves to the result of `subject` (interface.method); rejects with a CallError. `timeout` in seconds.
    async call(subject, args = {}, { timeout = 1, version, traceId } = {}) {
        const id = randomBytes(16);
        const key = id.toString('hex');
        const headers = { timeout, trace_id: traceId ?? randomBytes(16).toString('hex') };
        if (version !== undefined) headers.version = version;
        const answer = new Promise((resolve, reject) => {
            const late = () => reject(new CallError(`no reply from ${subject} within ${timeout} s`, 'maybe'));
            this.pending.set(key, { resolve, timer: setTimeout(late, timeout * 1000) });
        });
        try {
            await this.socket.send([id, 'REQ', subject, pack(headers), pack(args)]);
            return outcome(subject, await answer);
        } finally {
            clearTimeout(this.pending.get(key)?.timer);
            this.pending.delete(key);
        }
    }

    close() {
        this.socket.close();
        return this.reading;
    }

    async read() {
        for await (const frames of this.socket) {
            // whatever is no answer to a call that still waits is dropped
            if (frames.length === 5) this.pending.get(frames[2].toString('hex'))?.resolve(frames);
        }
    }
}

function outcome(subject, [, type, , headers, body]) {
    const content = unpack(body);
    switch (type.toString()) {
        case 'REP':
            return content;
        case 'ACK':
            return null;
        case 'ERROR':
            throw new CallError(content?.message ?? subject, 'yes', { type: content?.type });
        default: {
            const reason = unpack(headers).reason ?? 'failed';
            const executed = reason === 'failed' ? 'yes' : 'no';
            throw new CallError(`${subject}: ${content?.message ?? reason}`, executed, { reason });
        }
    }
}

module.exports = { CallError, Client };

async function main([endpoint, subject, args = '{}']) {
    if (!endpoint || !subject) {
        console.error("usage: node client.js tcp://HOST:PORT INTERFACE.METHOD '{\"argument\": ...}'");
        return 2;
    }
    const client = new Client(endpoint);
    try {
        const show = (_, value) => (value instanceof Set ? [...value] : value);
        console.log(JSON.stringify(await client.call(subject, JSON.parse(args)), show));
        return 0;
    } catch (error) {
        console.error(error instanceof CallError ? `${error.message} (executed: ${error.executed})` : String(error));
        return error instanceof SyntaxError ? 2 : 1;
    } finally {
        await client.close();
    }
}

if (require.main === module) {
    main(process.argv.slice(2)).then((code) => {
        process.exitCode = code;
    });
}

#!/usr/bin/env node
// Drives the unmodified @tencent-weixin/openclaw-weixin through a session on the simulator.
//
// Usage: openclaw_weixin.mjs http://127.0.0.1:PORT ACCOUNT FOLDER
//
// Login with an expired code, a blocked one, wrong and right digits and a change of host; texts, typing, pictures, films,
// files and quotes in both directions; what is refused; a token that dies. People and phones are played through the
// simulator's control API. Logs go to stderr and FOLDER; stdout carries one JSON line.
// Exit status 0: every check passed and the simulator saw no hard violation but those that were provoked.

import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createRequire, register } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const DEADLINE_MS = 60_000;
const GIVE_UP_MS = 55_000; // for waits in this script; the rest of the time is for reading the violations
const POLL_MS = 25;

if (process.argv.length !== 5) {
  console.error('usage: openclaw_weixin.mjs http://127.0.0.1:PORT ACCOUNT FOLDER');
  process.exit(2);
}
const base = new URL(process.argv[2]).origin;
const account = process.argv[3];
const folder = path.resolve(process.argv[4]);
fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder, { recursive: true });

// Shim 1. The client prints QR codes and questions to stdout, which belongs to the summary line.
const writeSummary = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, ...rest) => process.stderr.write(text, ...rest);
console.log = console.error;

// Shim 2. All of its files go to FOLDER.
process.env.OPENCLAW_STATE_DIR = folder;
process.env.OPENCLAW_LOG_LEVEL = 'DEBUG';
delete process.env.OPENCLAW_CONFIG;
delete process.env.OPENCLAW_OAUTH_DIR;

// Shim 3. Its hosts are constants: what it asks of them goes to the simulator, and what it asks of any other host fails.
// The same place keeps the addresses that it asked, and can spoil one request on its way.
const { port } = new URL(base);
const realFetch = globalThis.fetch;
const asked = [];
const spoilers = [];
globalThis.fetch = async (input, init = {}) => {
  const url = new URL(input);
  asked.push(`${init.method ?? 'GET'} ${url.href}`);
  if (url.hostname === 'ilinkai.weixin.qq.com') url.host = `127.0.0.1:${port}`;
  else if (!(['127.0.0.1', 'localhost'].includes(url.hostname) && url.port === port)) {
    throw new Error(`the client asked a strange host: ${url.host}`);
  }
  url.protocol = 'http:';
  const at = spoilers.findIndex(({ name }) => url.pathname.endsWith(`/${name}`));
  const changed = at >= 0 ? spoilers.splice(at, 1)[0].change(url, init) : init;
  return realFetch(url, changed);
};

// Changes the next request of this name.
function spoil(name, change) {
  spoilers.push({ name, change: (_url, init) => change(init) });
}

// Shim 4. Its host framework is `host.mjs`.
register('./hooks.mjs', import.meta.url);
const { channelRuntime } = await import('./host.mjs');

// By NODE_PATH, so the package may be installed elsewhere; it names no entry that `import` would find.
const require = createRequire(import.meta.url);
const manifest = require.resolve('@tencent-weixin/openclaw-weixin/package.json');
const { version } = require(manifest);

class Failed extends Error {}

const checks = [];
let doing = 'starting';

function check(name, ok, got) {
  checks.push(ok || got === undefined ? { name, ok: Boolean(ok) } : { name, ok: false, got: show(got) });
}

function show(value) {
  return value instanceof Error ? value.message : JSON.stringify(value);
}

let finished = false;

function finish({ hard = [], soft = [], error } = {}) {
  if (finished) return; // a watchdog and the main path may both come here
  finished = true;
  const summary = { client: `openclaw-weixin ${version}`, checks, violations_hard: hard, violations_soft: soft };
  if (error) summary.error = error;
  const ok = !error && checks.length > 0 && checks.every((c) => c.ok);
  // Node may drop what is still in the pipe at process.exit, hence the callback.
  writeSummary(`${JSON.stringify(summary)}\n`, () => process.exit(ok ? 0 : 1));
}

const endsAt = Date.now() + GIVE_UP_MS;
const realNow = Date.now;
// For waits inside the client; `until` ends earlier and says more.
setTimeout(
  () => finish({ error: `deadline of ${DEADLINE_MS / 1000} s passed while waiting for: ${doing}` }),
  DEADLINE_MS,
);

// Polls `condition` until it gives something true; the time of the whole run bounds it.
async function until(what, condition) {
  doing = what;
  while (realNow() < endsAt) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Failed(`not within ${GIVE_UP_MS / 1000} s: ${what}`);
}

// The phone, the people and the rules: the simulator's control API.
const sim = {
  async call(order, body, method = body ? 'POST' : 'GET') {
    const answer = await realFetch(`${base}/__sim/${order}`, {
      method,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const raw = await answer.text();
    if (!answer.ok) throw new Failed(`/__sim/${order} answered ${answer.status}: ${raw}`);
    return JSON.parse(raw);
  },
  order: (name, body = {}) => sim.call(name, { account, ...body }),
  say: async (say, more = {}) => (await sim.order('say', { say, ...more })).ids[0],
  journal: () => sim.call('journal'),
  sends: async () => (await sim.journal()).sends.filter((send) => send.account === account),
  last: async () => (await sim.sends()).at(-1),
  async violations() {
    const all = await sim.call('violations');
    const lines = (hard) => all.filter((v) => v.hard === hard).map((v) => `${v.endpoint}: ${v.what}`);
    return { hard: lines(true), soft: lines(false) };
  },
};

const md5 = (bytes) => createHash('md5').update(bytes).digest('hex');

// Runs `work`; the hard violations that it caused.
async function provoked(work) {
  const before = (await sim.violations()).hard;
  await work();
  return (await sim.violations()).hard.filter((line) => !before.includes(line));
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// A promise that fails: its message; one that does not: ''.
const refusal = (promise) => promise.then(() => '', (error) => error.message);

// QR codes up to the one that is confirmed; `readVerifyCodeFromStdin` is answered by the person at the terminal.
async function login(channel) {
  doing = 'first QR code';
  const start = await channel.gateway.loginWithQrStart({});
  check('QR code is a link', /^https:\/\/liteapp\.weixin\.qq\.com\/q\//.test(start.qrDataUrl), start);
  const waiting = channel.gateway.loginWithQrWait({ sessionKey: start.sessionKey, timeoutMs: 50_000 });
  const pending = () => sim.call('world').then((world) => world.pending[0]);
  const type = async (digits) => {
    await until(`a question for digits (${digits})`, () => process.stdin.listenerCount('data') > 0);
    process.stdin.emit('data', `${digits}\n`);
  };

  await sim.order('expire', { qrcode: await pending() });
  const second = await until('another code after one that expired', pending);
  await sim.order('scan', { qrcode: second, digits: '4711' });
  await type('1');
  await sim.order('block', { qrcode: second });
  const third = await until('another code after one that was blocked', pending);
  await sim.order('scan', { qrcode: third, digits: '0815' });
  await type('0816');
  await until('the client asks again after wrong digits', () => process.stdin.listenerCount('data') > 0);
  await type('0815');
  await until('the right digits at the service', () => asked.some((line) => line.includes('verify_code=0815')));
  await sim.order('redirect', { host: `localhost:${port}` });
  await until('polls at the other host', () =>
    asked.some((line) => line.startsWith(`GET https://localhost:${port}/ilink/bot/get_qrcode_status`)),
  );
  await sim.order('confirm');
  doing = 'the end of the login';
  const done = await waiting;
  check('login', done.connected && done.accountId.endsWith('@im.bot'), done);
  const wrong = asked.filter((line) => line.includes('verify_code=0816')).length;
  check('wrong digits sent once', wrong === 1, wrong);
}

async function drive() {
  const { default: plugin } = await import(pathToFileURL(path.join(path.dirname(manifest), 'dist/index.js')));
  let channel;
  const api = { registrationMode: 'full', runtime: { version: '2026.8.1' } };
  plugin.register({ ...api, registerChannel: (given) => ({ plugin: channel } = given) });
  check('registered', channel?.id === 'openclaw-weixin', channel?.id);

  await sim.call('rules', { hold_ms: 20_000, qr_hold_ms: 20_000, quota: 1000, burst: 1000 });
  await login(channel);

  const cfg = { channels: { 'openclaw-weixin': { cdnBaseUrl: `${base}/c2c` } } };
  const [accountId] = channel.config.listAccountIds(cfg);
  const resolved = channel.config.resolveAccount(cfg, accountId);
  check('bound at the other host', resolved.baseUrl === `http://localhost:${port}`, resolved.baseUrl);
  check('configured', channel.config.isConfigured(resolved));
  const [owner, friend] = (await sim.call('world')).accounts.find((one) => one.account === account).people;

  // The agent: what it heard, and what it answers to each text.
  const heard = [];
  const errors = [];
  const answers = new Map();
  const runtime = channelRuntime(folder, async (context, deliver, options) => {
    heard.push(context);
    await answers.get(context.Body)?.(deliver, options);
  });
  const stop = new AbortController();
  const context = {
    account: resolved,
    cfg,
    channelRuntime: runtime,
    abortSignal: stop.signal,
    setStatus: () => {},
    log: { info: console.error, error: (line) => errors.push(line) },
    runtime: { log: console.error, error: (line) => errors.push(line) },
  };
  const running = channel.gateway.startAccount(context);
  const hear = (what, found) => until(what, () => heard.find(found));

  // A text, typing, an answer.
  const greeting = `你好 <b>&amp;</b> 👋🏽\n第二行 ${randomBytes(4).toString('hex')}`;
  answers.set(greeting, (deliver) => deliver({ text: `收到：\n\`\`\`\n${greeting}\n\`\`\`` }));
  const greetingId = await sim.say({ text: greeting });
  const first = await hear('the greeting', (one) => one.Body === greeting);
  check('text', first.From === owner.id && first.MessageSidFull === greetingId, first);
  const sent = await until('the answer', sim.last);
  check('answer', sent.outcome === 'shown' && sent.text.includes(greeting) && sent.to === owner.nick, sent);
  await until('typing ended', async () => same((await sim.journal()).typing.map((one) => one.on), [true, false]));
  check('typing', true);
  const journal = await sim.journal();
  check('notifystart', same(journal.presence.map((one) => one.on), [true]), journal.presence);

  // Files out.
  const files = [
    ['image', 'pixel.png', Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(1000)])],
    ['video', 'film.mp4', randomBytes(200_000)],
    ['file', '报告 1.pdf', randomBytes(16)],
    ['file', 'empty.txt', Buffer.alloc(0)],
  ];
  for (const [kind, name, bytes] of files) {
    const file = path.join(folder, name);
    fs.writeFileSync(file, bytes);
    const before = (await sim.sends()).length;
    answers.set(`send ${name}`, (deliver) => deliver({ text: kind === 'image' ? '请看' : '', mediaUrl: file }));
    await sim.say({ text: `send ${name}` });
    const wanted = before + (kind === 'image' ? 2 : 1);
    const sends = await until(name, () => sim.sends().then((all) => all.length >= wanted && all.slice(before)));
    const shown = sends.at(-1);
    const right =
      shown.kind === kind && shown.outcome === 'shown' && shown.grey.length === 0 &&
      shown.media.md5 === md5(bytes) && shown.media.len === bytes.length && (kind !== 'file' || shown.text === name);
    check(`${name} opens on the phone`, right, shown);
    if (kind === 'image') check('caption before the picture', sends[0].text === '请看', sends);
  }
  const { uploads } = await sim.journal();
  check('uploads by the full URL', uploads.length === 4 && uploads.every((one) => one.full_url && !one.flaw), uploads);

  // Tool calls, which people never see.
  answers.set('tools', async (deliver, options) => {
    options.onItemEvent({ kind: 'tool', phase: 'start', name: 'search', itemId: '1' });
    options.onItemEvent({ kind: 'tool', phase: 'end', name: 'search', itemId: '1', status: 'completed' });
    await deliver({ text: 'found' });
  });
  await sim.say({ text: 'tools' });
  const tools = await until('tool calls', async () => {
    const hidden = (await sim.sends()).filter((send) => send.outcome === 'hidden');
    return hidden.length === 2 && hidden.map((send) => send.text);
  });
  check('tool calls', same(tools, ['search', 'search completed']), tools);

  // Files in: each form of key, by full URL and by parameter.
  const cases = [
    ['image', { full_url: true }],
    ['image', { full_url: false, key: 'hex' }],
    ['image', { key: 'none' }],
    ['file', { name: '../../表 格.csv' }],
    ['video', {}],
    ['voice', {}],
  ];
  for (const [kind, options] of cases) {
    const data = randomBytes(3_001);
    const file = { data: data.toString('base64'), ...options };
    const say = kind === 'video' || kind === 'voice' ? { [kind]: { file } } : { [kind]: file };
    const id = await sim.say(say);
    const one = await hear(`the ${kind}`, (context) => context.MessageSidFull === id);
    const got = one.MediaPath ? fs.readFileSync(one.MediaPath) : Buffer.alloc(0);
    check(`${kind} in (${JSON.stringify(options)})`, got.equals(data), one);
  }
  const gone = await sim.say({ file: { gone: true } });
  check('a file that is gone', !(await hear('a file that is gone', (one) => one.MessageSidFull === gone)).MediaPath);
  const spoken = await sim.say({ voice: { text: '明天早上八点叫我' } });
  const voice = await hear('a transcript', (one) => one.MessageSidFull === spoken);
  check('transcript', voice.Body === '明天早上八点叫我' && !voice.MediaPath, voice);

  // Quotes. Ids are 64 bits and must not be rounded.
  const quote = async (form, more = {}) => {
    const id = await sim.say({ quote: { text: `about ${form}`, of: greetingId, form, ...more } });
    return hear(`a quote (${form})`, (one) => one.MessageSidFull === id);
  };
  const full = await quote('full');
  check('quote with its text', full.ReplyToBody === greeting && full.ReplyToIsQuote, full.ReplyToBody);
  for (const [form, more] of [['svr_id', {}], ['item_id', {}], ['partial', { part: '第二行' }]]) {
    const { ReplyToId } = await quote(form, more);
    check(`quote by id (${form})`, ReplyToId === greetingId, ReplyToId);
  }
  check('quote of nothing', (await quote('type8')).ReplyToIsQuote && (await quote('empty')).ReplyToIsQuote);

  // What nobody has heard of, with something after it: the batch must not be lost.
  await sim.order('say', { messages: [{ say: { raw: { type: 99, future_item: {} } } }, { say: { text: 'after it' } }] });
  await hear('a text after an unknown item', (one) => one.Body === 'after it');
  check('unknown item', true);

  // The same message once more, with another context token: this client handles it twice.
  await sim.order('repeat', { id: greetingId });
  const copies = () => heard.filter((one) => one.MessageSidFull === greetingId);
  await until('the copy', () => copies().length === 2);
  const [one, two] = copies().map((copy) => copy.context_token);
  check('a copy with another context token', one !== two && two);
  const push = (text, to = owner.id) => channel.outbound.sendText({ cfg, to, text, accountId });
  await until('the answer to the copy', async () => (await sim.last()).text.includes(greeting));
  await push('a push');
  check('a push by the newest token', (await sim.last()).outcome === 'shown' && (await sim.last()).text === 'a push');

  // Up to here it did everything right.
  const { hard: mistakes } = await sim.violations();
  check('no hard violation', mistakes.length === 0, mistakes);
  check('the client reported the file that is gone, and nothing else', errors.length === 1, errors);

  await refusals({ push, friend });
  await spoilt({ push, channel, cfg, accountId, owner });

  // A client that is bound already is told so, and keeps its token.
  doing = 'the second login';
  const again = await channel.gateway.loginWithQrStart({ accountId });
  const waiting = channel.gateway.loginWithQrWait({ sessionKey: again.sessionKey, timeoutMs: 30_000 });
  await sim.order('approve');
  const bound = await waiting;
  check('bound already', !bound.connected && bound.message.includes('无需重复连接'), bound);
  check('the token lives', (await push('still here'), (await sim.last()).text === 'still here'));

  // -14: the poll learns of it, and from then on nothing is sent.
  await sim.order('kill', { spelling: 'ret' });
  const paused = await until('the client notices -14', async () => {
    const text = await refusal(push('too late'));
    return text.includes('session paused') && text;
  });
  check('-14 stops sending', paused.includes('errcode -14'), paused);
  const deaf = asked.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  check('-14 stops polling', asked.length === deaf, asked.slice(deaf));

  await sim.order('revive');
  stop.abort();
  await running;
  await channel.gateway.stopAccount(context);
  const presence = (await sim.journal()).presence.map((one) => one.on);
  check('notifystop', same(presence, [true, false]), presence);
}

// What the service refuses, takes in silence, or takes and does not show.
async function refusals({ push, friend }) {
  doing = 'refusals';
  await sim.order('refuse', { ret: -2, errmsg: 'prepare failed' });
  const refused = await refusal(push('x'));
  check('-2 reaches the caller', refused === 'sendMessage ret=-2 errmsg=prepare failed', refused);
  await sim.order('refuse', { ret: -2 });
  check('-2 without a reason', (await refusal(push('x'))).includes('ret=-2'));
  await sim.order('meter', { used: 1000 });
  const spent = await refusal(push('x'));
  check('the quota is spent', spent.includes('ret=-2 errmsg=rate limited'), spent);
  await sim.order('meter', { used: 0, wrote_ago_ms: 24 * 3_600_000 });
  check('the window is shut', (await refusal(push('x'))).includes('ret=-2'));
  await sim.order('meter', { used: 0 });

  // Nobody's context token: this client sends all the same, and believes that it arrived.
  const dropped = await provoked(async () => check('no context token', (await refusal(push('x', friend.id))) === ''));
  check('it was dropped in silence', (await sim.last()).outcome === 'dropped', await sim.last());
  check('and noticed', same(dropped, ['sendmessage: `context_token` is missing']), dropped);

  await sim.order('shadow');
  check('the shadow limit looks well', (await refusal(push('x'))) === '');
  check('and nobody sees it', (await sim.last()).outcome === 'hidden', await sim.last());
  await sim.order('shadow', { on: false });

  // Two messages of one client_id, which it makes of the time and four random bytes.
  const crypto = require('node:crypto');
  const real = [Date.now, crypto.randomBytes];
  [Date.now, crypto.randomBytes] = [() => real[0].call(Date), (len) => Buffer.alloc(len, 7)];
  const now = Date.now();
  Date.now = () => now;
  const twice = [await refusal(push('one')), await refusal(push('two'))];
  [Date.now, crypto.randomBytes] = real;
  const ends = (await sim.sends()).slice(-2).map((send) => [send.text, send.outcome]);
  check('a used client_id is accepted', same(twice, ['', '']), twice);
  check('and not shown', same(ends, [['one', 'shown'], ['two', 'doubled']]), ends);

  // The edge: an answer that is no JSON, and one that never comes.
  for (const kind of ['html', { status: { code: 524 } }, { truncate: { bytes: 5 } }, 'drop_after', 'empty']) {
    await sim.call('faults', { endpoint: 'sendmessage', kind });
    check(`an edge that answers ${JSON.stringify(kind)}`, (await refusal(push('x'))) !== '');
  }
}

// The same requests, each with one thing spoilt on its way: what the simulator would let pass, this script sees.
async function spoilt({ push, channel, cfg, accountId, owner }) {
  doing = 'spoilt requests';
  const file = path.join(folder, 'pixel.png');
  const media = () => channel.outbound.sendMedia({ cfg, to: owner.id, text: '', mediaUrl: file, accountId });
  const edit = (change) => (init) => {
    const body = JSON.parse(init.body);
    change(body);
    return { ...init, body: JSON.stringify(body) };
  };
  const header = (name, value) => (init) => {
    const headers = { ...init.headers };
    if (value === undefined) delete headers[name];
    else headers[name] = value;
    return { ...init, headers };
  };
  const keyOf = (body) => body.msg.item_list[0].image_item.media;
  const rawKey = (body) => {
    const hex = Buffer.from(keyOf(body).aes_key, 'base64').toString();
    keyOf(body).aes_key = Buffer.from(hex, 'hex').toString('base64');
  };
  const grey = async () => (await sim.last()).grey;
  const cases = [
    ['sendmessage', edit(rawKey), media, 'sendmessage: `aes_key` is base64 of the raw key, not of its 32 hex digits', grey],
    ['sendmessage', edit((body) => (keyOf(body).encrypt_query_param = 'x')), media,
      'sendmessage: `encrypt_query_param` is not one that an upload was answered', grey],
    ['upload', (init) => ({ ...init, body: init.body.map((byte) => byte ^ 1) }), media,
      'upload: the padding is not PKCS#7 under this key', grey],
    ['upload', (init) => ({ ...init, method: 'PUT' }), media, 'upload: an upload that is no POST'],
    ['getuploadurl', edit((body) => delete body.no_need_thumb), media, 'getuploadurl: `no_need_thumb` is missing'],
    ['getuploadurl', edit((body) => (body.filesize -= 16)), media,
      'getuploadurl: `filesize` is not the size of the cipher text'],
    ['sendmessage', edit((body) => delete body.base_info), () => push('x'), 'sendmessage: `base_info` is missing'],
    ['sendmessage', header('X-WECHAT-UIN', '3735928559'), () => push('x'),
      'sendmessage: X-WECHAT-UIN is not base64 of a decimal u32'],
    ['sendmessage', header('Authorization'), () => push('x'), 'sendmessage: Authorization is missing'],
    ['sendmessage', edit((body) => body.msg.item_list.push(body.msg.item_list[0])), () => push('x'),
      'sendmessage: more than one item in a message'],
  ];
  for (const [name, change, send, want, also] of cases) {
    const lines = await provoked(async () => {
      spoil(name, change);
      await refusal(send());
    });
    check(`noticed: ${want}`, lines.includes(want), lines);
    if (also) check(`and nobody can open it`, (await also()).length > 0, await sim.last());
  }
  check('every spoilt request went out', spoilers.length === 0, spoilers.length);
}

let error;
try {
  await drive();
} catch (err) {
  if (!(err instanceof Failed)) console.error(err);
  error = err instanceof Failed ? err.message : `${err.name} while waiting for: ${doing}: ${err.message}`;
}
try {
  finish({ ...(await sim.violations()), error });
} catch (err) {
  finish({ error: error ?? `violations cannot be read: ${err.message}` });
}

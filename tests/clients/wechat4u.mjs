#!/usr/bin/env node
// Drives the unmodified wechat4u through a session on the simulator.
//
// Usage: wechat4u.mjs http://127.0.0.1:PORT ACCOUNT
//
// Login, contacts, a private and a group text in both directions; then media in both directions, a recall, faces, a
// friend request, a remark, a pin, and a room from its making to its end. The phone's side (scan, friends who write) is
// played through the simulator's control API. Logs go to stderr; stdout carries one JSON line.
// Exit status 0: every check passed and the simulator saw no hard violation.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const DEADLINE_MS = 60_000;
const GIVE_UP_MS = 55_000; // for waits in this script; the rest of the time is for reading the violations
const POLL_MS = 50;
const ROOM = '测试群';
const FRIENDS = ['Alice', '鲍勃'];

// Hard violations that this client is known for and that these steps would provoke: none.
const KNOWN_HARD = [];

// Shim 1. wechat4u reports exceptions that nobody caught with console.log; stdout belongs to the summary line.
console.log = console.error;

if (process.argv.length !== 4) {
  console.error('usage: wechat4u.mjs http://127.0.0.1:PORT ACCOUNT');
  process.exit(2);
}
const base = new URL(process.argv[2]).origin;
const account = process.argv[3];

// `require` instead of `import`: it honours NODE_PATH, so the modules may be installed elsewhere.
const require = createRequire(import.meta.url);
const axios = createRequire(require.resolve('wechat4u'))('axios');

// Shim 2. The hosts are fixed in wechat4u's configuration, so its HTTP client is redirected under it: whatever HOST
// it asks, or is pointed to by a redirect, the request goes to the simulator's port with HOST in its Host header.
// Nothing can reach the real service. The same place keeps count of the requests, because wechat4u tells neither
// when the address book is read nor when its logout is through.
const answered = new Set();
const running = [];
const { protocol, host: simHost, hostname, port } = new URL(base);
const createAxios = axios.create;
axios.create = (defaults) => {
  const client = createAxios.call(axios, {
    ...defaults,
    proxy: false, // proxy variables must not apply to loopback
    beforeRedirect: (next) => {
      next.headers.host = new URL(next.href).host;
      Object.assign(next, { protocol, host: simHost, hostname, port });
    },
  });
  client.interceptors.request.use((config) => {
    config.url = config.url.replace(/^https?:\/\/([^/?]+)/, (_, host) => {
      config.headers.host = host;
      return base;
    });
    config.endpoint = new URL(config.url).pathname.split('/').pop();
    running.push(config.endpoint);
    return config;
  });
  const ended = (config) => {
    if (!config?.endpoint) return;
    answered.add(config.endpoint);
    running.splice(running.indexOf(config.endpoint), 1);
  };
  client.interceptors.response.use(
    (res) => {
      ended(res.config);
      return res;
    },
    (err) => {
      ended(err.config);
      return Promise.reject(err);
    },
  );
  return client;
};

const Wechat = require('wechat4u');
const { version } = require('wechat4u/package.json');

class Failed extends Error {}

const checks = [];
let doing = 'starting';

function check(name, ok, got) {
  checks.push(ok || got === undefined ? { name, ok: Boolean(ok) } : { name, ok: false, got: show(got) });
}

function show(value) {
  return value instanceof Error ? (value.tips ? `${value.tips}: ` : '') + value.message : JSON.stringify(value);
}

let finished = false;

function finish({ hard = [], soft = [], error } = {}) {
  if (finished) return; // a watchdog and the main path may both come here
  finished = true;
  const summary = { client: `wechat4u ${version}`, checks, violations_hard: hard, violations_soft: soft };
  if (error) summary.error = error;
  const unknown = hard.filter((line) => !KNOWN_HARD.some((known) => line.startsWith(known)));
  const ok = !error && unknown.length === 0 && checks.length > 0 && checks.every((c) => c.ok);
  // Node may drop what is still in the pipe at process.exit, hence the callback.
  process.stdout.write(JSON.stringify(summary) + '\n', () => process.exit(ok ? 0 : 1));
}

const endsAt = Date.now() + GIVE_UP_MS;
// For waits inside the client; `until` ends earlier and says more.
setTimeout(
  () => finish({ error: `deadline of ${DEADLINE_MS / 1000} s passed while waiting for: ${doing}` }),
  DEADLINE_MS,
);

// Polls `condition` until it gives something true; the time of the whole run bounds it.
async function until(what, condition) {
  doing = what;
  while (Date.now() < endsAt) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Failed(`not within ${GIVE_UP_MS / 1000} s: ${what}`);
}

// The account's phone and its friends: the simulator's control API.
const phone = {
  async call(path, body) {
    let answer, raw;
    try {
      answer = await fetch(`${base}/__sim/${path}`, {
        method: body ? 'POST' : 'GET',
        headers: body && { 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
      raw = await answer.text();
    } catch (err) {
      throw new Failed(`/__sim/${path} cannot be reached: ${err.cause?.message ?? err.message}`);
    }
    if (!answer.ok) throw new Failed(`/__sim/${path} answered ${answer.status}: ${raw}`);
    return raw.trim() ? JSON.parse(raw) : {};
  },
  async isPending(uuid) {
    return (await phone.call('pending')).uuids.includes(uuid);
  },
  approve: (uuid) => phone.call('approve', { uuid, account }),
  write: (from, text, room) => phone.call('messages', { account, from, room, text }),
  // Anything but text; answers the MsgId.
  say: async (from, said) => (await phone.call('messages', { account, from, said })).msg_ids[0],
  // What the simulator says about media that this account sent.
  async sentMedia(id) {
    const { sends } = await phone.call('journal');
    return sends.find((send) => send.msg_id === id)?.media;
  },
  async seen() {
    return (await phone.call('world')).accounts.find((a) => a.name === account);
  },
  // What this account sent and the simulator accepted, as far as it carries `mark`.
  async sends(mark) {
    const { sends } = await phone.call('journal');
    return sends.filter((send) => send.account === account && (send.content ?? '').includes(mark));
  },
  // Distinct lines. A violation before login belongs to no account yet.
  async violations() {
    const answer = await phone.call('violations');
    const mine = (answer.violations ?? answer).filter((v) => !v.account || v.account === account);
    const lines = (hard) => [...new Set(mine.filter((v) => Boolean(v.hard) === hard).map((v) => `${v.endpoint}: ${v.what}`))];
    return { hard: lines(true), soft: lines(false) };
  },
};

// Every name by which the journal may call this peer.
const names = (contact) => [contact.UserName, contact.NickName, contact.RemarkName].filter(Boolean);

// A PNG of one pixel.
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const FILM = Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42', 'latin1'), Buffer.alloc(3000)]);
const GIF = Buffer.from('GIF89a\x01\0\x01\0', 'latin1');

// Uploads of one chunk and of two, each sent; and a recall.
async function sendMedia(bot, to) {
  const files = [
    ['pixel.png', PIXEL],
    ['film.mp4', FILM],
    ['sticker.gif', GIF],
    ['表 格.csv', Buffer.from('甲,乙\n'.repeat(80_000))],
  ];
  for (const [filename, file] of files) {
    doing = `sending ${filename}`;
    const sent = await bot.sendMsg({ file, filename }, to);
    const media = (await phone.sentMedia(sent.MsgID)) ?? {};
    const md5 = createHash('md5').update(file).digest('hex');
    check(`${filename} arrived`, media.md5 === md5 && media.len === file.length && media.file_name === filename, media);
    if (filename === 'pixel.png') {
      await bot.revokeMsg(sent.MsgID, to);
      const { recalls } = await phone.call('journal');
      check('recall', recalls.some((recall) => recall.msg_id === sent.MsgID), recalls);
    }
  }
  doing = 'sending a known sticker';
  const sent = await bot.sendMsg({ emoticonMd5: 'e68363487d8f0519c4e1047de403b2e7' }, to);
  check('sticker by md5', (await phone.sentMedia(sent.MsgID))?.md5 === 'e68363487d8f0519c4e1047de403b2e7');
}

// Each kind arrives, its bytes are those that were said, and what can be forwarded is.
async function receiveMedia(bot, messages, friend) {
  const load = {
    image: (msg) => bot.getMsgImg(msg.MsgId),
    sticker: (msg) => bot.getMsgImg(msg.MsgId),
    voice: (msg) => bot.getVoice(msg.MsgId),
    video: (msg) => bot.getVideo(msg.MsgId),
    file: (msg) => bot.getDoc(msg.FromUserName, msg.MediaId, msg.FileName),
  };
  const bytes = { image: PIXEL, sticker: GIF, voice: Buffer.from('ID3 voice'), video: FILM, file: Buffer.from('甲,乙') };
  for (const [kind, content] of Object.entries(bytes)) {
    const said = { data: content.toString('base64'), ...(kind === 'file' && { name: 'a b 表.csv' }) };
    const id = await phone.say(friend.OriginalNickName ?? friend.NickName, { [kind]: said });
    const msg = await until(`the ${kind}`, () => messages.find((m) => m.MsgId === id));
    doing = `the bytes of the ${kind}`;
    const { data } = await load[kind](msg);
    check(`${kind} bytes`, Buffer.compare(Buffer.from(data), content) === 0, String(data).slice(0, 80));
    if (kind === 'voice') continue; // cannot be forwarded
    doing = `forwarding the ${kind}`;
    const sent = await bot.forwardMsg(msg, 'filehelper');
    const media = await phone.sentMedia(sent.MsgID);
    check(`${kind} forwarded`, media?.len === content.length, media);
  }
  doing = 'faces';
  const { data } = await bot.getHeadImg(friend.HeadImgUrl);
  check('face of a friend', Buffer.from(data).subarray(1, 4).toString() === 'PNG', String(data).slice(0, 80));
}

async function befriend(bot, messages) {
  const order = { account, from: { nick: '新朋友' }, greeting: '我是新朋友' };
  const { msg_id: id } = await phone.call('friend_request', order);
  const msg = await until('the friend request', () => messages.find((m) => m.MsgId === id));
  check('friend request', msg.RecommendInfo.NickName === '新朋友', msg.RecommendInfo);
  doing = 'accepting a friend';
  await bot.verifyUser(msg.RecommendInfo.UserName, msg.RecommendInfo.Ticket);
  const friends = async () => (await phone.seen()).friends.map((f) => f.nick);
  check('friend accepted', (await friends()).includes('新朋友'), await friends());
  await until('the friend in the client', () => bot.contacts[msg.RecommendInfo.UserName]?.NickName === '新朋友');
}

async function changePeopleAndRooms(bot, alice, bob) {
  doing = 'remark and pin';
  await bot.updateRemarkName(alice.UserName, '爱丽丝');
  await bot.opLog(alice.UserName, 1, '爱丽丝');
  const remarks = (await phone.seen()).friends.map((f) => f.remark);
  check('remark kept', remarks.includes('爱丽丝'), remarks);
  await until('the pin in the client', () => bot.contacts[alice.UserName].ContactFlag & 2048);

  doing = 'making a room';
  const people = [alice, bob].map(({ UserName }) => ({ UserName }));
  const { ChatRoomName: room } = await bot.createChatroom('新群', people);
  check('room made', room.startsWith('@@'), room);
  const seen = async () => (await phone.seen()).rooms.find((r) => r.user_name === room);
  check('room members drawn in', (await seen()).members.length === 3, await seen());
  doing = 'changing a room';
  await bot.updateChatroom(room, [bob.UserName], 'delmember');
  check('member gone', (await seen()).members.length === 2, await seen());
  await bot.updateChatroom(room, [bob.UserName], 'addmember');
  check('member back', (await seen()).members.length === 3, await seen());
  await bot.updateChatRoomName(room, '改名了');
  await until('the topic in the client', () => bot.contacts[room]?.NickName === '改名了');
}

async function drive() {
  // Newline, markup characters, an entity that must be decoded once and only once, Chinese, emoji.
  const mark = `${process.pid.toString(16)}-${Date.now().toString(16)}`;
  const privateIn = `[${mark}-p] 你好 <b>粗体</b> & &amp; 😄\n第二行`;
  const groupIn = `[${mark}-g] 大家好 <br> & &lt; 😄\n第二行`;
  const privateOut = `[${mark}-r] 收到 <i>&lt;</i> & > 😄👍🏽\n第二行 "完"`;
  const groupOut = `[${mark}-s] 群里收到 <br/> & &amp; 😄👨‍👩‍👧\n第二行 '完'`;
  // wechat4u undoes &lt; and &gt; but leaves &amp; as it came, so this is what a bot on it sees of a text.
  const asShown = (text) => text.replaceAll('&', '&amp;');

  const bot = new Wechat();
  const errors = [];
  const messages = [];
  const sent = [];
  let online = false;

  bot.on('error', (err) => errors.push(show(err)));
  // wechat4u's own handler keeps the process alive after an uncaught exception; it is still a failure.
  process.on('uncaughtException', (err) => errors.push(`uncaught: ${show(err)}`));
  bot.on('login', () => (online = true));
  bot.on('logout', () => {
    if (!online) finish({ error: `login failed: ${errors.join('; ')}` });
  });
  bot.on('uuid', async (uuid) => {
    try {
      await until(`uuid ${uuid} in /__sim/pending`, () => phone.isPending(uuid));
      await phone.approve(uuid);
      doing = 'login after the approval';
    } catch (err) {
      finish({ error: show(err) });
    }
  });
  bot.on('message', (msg) => {
    messages.push(msg);
    const answer = async (text) => {
      try {
        sent.push(await bot.sendMsg(text, msg.FromUserName));
      } catch (err) {
        errors.push(show(err));
      }
    };
    if (msg.Content.includes(`${mark}-p`)) answer(privateOut);
    if (msg.Content.includes(`${mark}-g`)) answer(groupOut);
  });

  doing = 'login';
  bot.start();
  await until('login', () => online);
  check('login', bot.user.UserName?.startsWith('@') && bot.PROP.skey && bot.PROP.uin, bot.PROP);

  // The address book is fetched after the 'login' event, in up to three steps (pages, then rooms without members), and
  // overwrites what was known. Nothing but the sync loop running means that all of it has arrived.
  const settled = () => answered.has('webwxgetcontact') && running.every((e) => e === 'synccheck');
  await until('the address book', settled);
  const contacts = Object.values(bot.contacts);
  const [alice, bob] = FRIENDS.map((name) => contacts.find((c) => c.NickName.startsWith(name)));
  const nicks = contacts.map((c) => c.NickName);
  check('friends', alice && bob, nicks);
  check(
    'emoji in a nick',
    nicks.some((n) => /[\u{10000}-\u{10ffff}]/u.test(n)) && !nicks.some((n) => n.includes('<span')),
    nicks,
  );
  if (!alice || !bob) throw new Failed('the friends needed for the texts are missing');
  // A room that is not saved may come with webwxinit or only with the first sync.
  const isRoom = (c) => bot.Contact.isRoomContact(c) && c.NickName === ROOM;
  const room = await until(`room ${ROOM} among the contacts`, () => Object.values(bot.contacts).find(isRoom));
  check('room', room);

  doing = 'members of the room';
  bot.updateContacts(await bot.batchGetContact([{ UserName: room.UserName }]));
  const members = bot.contacts[room.UserName].MemberList;
  check('room members', members.length >= 2 && members.some((m) => m.UserName === bot.user.UserName), members);
  const [speaker, friend] =
    [bob, alice].map((f) => [members.find((m) => m.NickName === f.OriginalNickName), f]).find(([m]) => m) ?? [];
  if (!speaker) throw new Failed(`none of ${FRIENDS} is a member of ${ROOM}`);

  await phone.write(alice.NickName, privateIn);
  const priv = await until('the private text', () => messages.find((m) => m.Content.includes(`${mark}-p`)));
  check('private text', priv.Content === asShown(privateIn), priv.Content);
  check('private sender', priv.FromUserName === alice.UserName && !priv.isSendBySelf, priv.FromUserName);

  await phone.write(friend.NickName, groupIn, ROOM);
  const group = await until('the group text', () => messages.find((m) => m.Content.includes(`${mark}-g`)));
  // A group text is shown as `NAME:\nTEXT`; the copy lets the client decode the emoji of a member's name.
  const shownAs = bot.Contact.extend({ ...speaker }).getDisplayName();
  const body = group.Content.slice(group.Content.indexOf('['));
  check('group text', body === asShown(groupIn), group.Content);
  check(
    'group sender',
    group.FromUserName === room.UserName &&
      group.OriginalContent.startsWith(`${speaker.UserName}:<br/>`) &&
      group.Content.startsWith(`${shownAs}:\n[`),
    { from: group.FromUserName, content: group.OriginalContent, shown: group.Content },
  );

  for (const [kind, text, peer] of [['private', privateOut, alice], ['group', groupOut, room]]) {
    const ownMark = text.slice(1, text.indexOf(']'));
    const sends = await until(`the ${kind} answer in the journal`, async () => {
      const found = await phone.sends(ownMark);
      return found.length > 0 && found;
    });
    check(`${kind} answer text`, sends[0].content === text, sends[0].content);
    check(`${kind} answer peer`, names(peer).includes(sends[0].to), sends[0].to);
    check(`${kind} answer sent once`, sends.length === 1, sends);
  }
  await until('both answers accepted', () => sent.length >= 2 || errors.length > 0);
  check('answers accepted', sent.length === 2 && sent.every((res) => res.MsgID), sent);

  await sendMedia(bot, alice.UserName);
  await receiveMedia(bot, messages, alice);
  await befriend(bot, messages);
  await changePeopleAndRooms(bot, alice, bob);

  bot.stop();
  await until('logout', () => answered.has('webwxlogout'));
  // Late on purpose: by now a batch that was delivered twice, or our own answers coming back, would be here.
  const mine = messages.map((m) => m.Content).filter((text) => text.includes(mark));
  check('each text delivered once', mine.length === 2, mine);
  check('client reported no errors', errors.length === 0, errors);
}

let error;
try {
  await drive();
} catch (err) {
  if (!(err instanceof Failed)) console.error(err);
  error = err instanceof Failed ? err.message : `${err.name} while waiting for: ${doing}: ${err.message}`;
}
try {
  finish({ ...(await phone.violations()), error });
} catch (err) {
  finish({ error: error ?? `violations cannot be read: ${err.message}` });
}

#!/usr/bin/env python3
"""Drives the unmodified itchat-uos through a session on the simulator.

Usage: itchat_uos.py http://127.0.0.1:PORT ACCOUNT

Login, contacts, a private and a group text in both directions; then media in both directions, a recall, faces, a
friend request, a remark, a pin, and a room from its making to its end. The phone's side (scan, friends who write) is
played through the simulator's control API. Logs go to stderr; stdout carries one JSON line.
Exit status 0: every check passed and the simulator saw no hard violation.
"""

import base64
import hashlib
import json
import logging
import os
import queue
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
from urllib.parse import urlsplit

# Shim 1. Importing itchat paints a block character on stdout, and its prompts go there too. stdout belongs to
# the summary line, so the client gets stderr instead.
REPORT = sys.stdout
sys.stdout = sys.stderr

# Shim 2. `requests` obeys proxy variables even for loopback, and itchat has no option against it.
for variable in ("NO_PROXY", "no_proxy"):
    os.environ[variable] = "*"

import itchat  # noqa: E402
import requests  # noqa: E402

DEADLINE_S = 60
GIVE_UP_S = 55  # for waits in this script; the rest of the time is for reading the violations
POLL_S = 0.05

ROOM = "测试群"
FRIENDS = ("Alice", "鲍勃")

# Hard violations that this client is known for and that these steps provoke: it cannot accept friend requests (README.md).
KNOWN_HARD = ("webwxverifyuser: the ticket stands in VerifyContent and not in VerifyUserTicket",)

# A PNG of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Failed(Exception):
    """A step that the following ones need did not happen."""


class Run:
    """What was checked so far, and the one way to end."""

    def __init__(self):
        self.checks = []
        self.doing = "starting"
        self.ends_at = time.monotonic() + GIVE_UP_S
        self.reported = threading.Lock()

    def check(self, name, ok, got=None):
        entry = {"name": name, "ok": bool(ok)}
        if not ok and got is not None:
            entry["got"] = str(got)
        self.checks.append(entry)

    def until(self, what, condition):
        """Polls `condition` until it gives something true; the time of the whole run bounds it."""
        self.doing = what
        while time.monotonic() < self.ends_at:
            value = condition()
            if value:
                return value
            time.sleep(POLL_S)
        raise Failed(f"not within {GIVE_UP_S} s: {what}")

    def take(self, what, inbox, wanted):
        """Takes messages from `inbox` until one satisfies `wanted`."""
        self.doing = what
        while True:
            try:
                message = inbox.get(timeout=max(0.0, self.ends_at - time.monotonic()))
            except queue.Empty:
                raise Failed(f"not within {GIVE_UP_S} s: {what}") from None
            if wanted(message):
                return message

    def finish(self, hard=(), soft=(), error=None):
        """Prints the summary and ends the process, whichever thread gets here first."""
        if not self.reported.acquire(blocking=False):
            threading.Event().wait()
        summary = {
            "client": f"itchat-uos {itchat.__version__}",
            "checks": self.checks,
            "violations_hard": list(hard),
            "violations_soft": list(soft),
        }
        if error:
            summary["error"] = error
        unknown = [line for line in hard if not line.startswith(KNOWN_HARD)]
        ok = not error and not unknown and self.checks and all(c["ok"] for c in self.checks)
        REPORT.write(json.dumps(summary, ensure_ascii=False) + "\n")
        REPORT.flush()
        # Not sys.exit: the client's threads sit in long polls, and this may be the watchdog's thread.
        os._exit(0 if ok else 1)


class Phone:
    """The account's phone and its friends: the simulator's control API."""

    def __init__(self, base, account):
        self.base, self.account = base, account
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(
            f"{self.base}/__sim/{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with self.opener.open(request, timeout=10) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as refusal:
            raise Failed(f"/__sim/{path} answered {refusal.code}: {refusal.read().decode(errors='replace')}")
        except OSError as problem:
            raise Failed(f"/__sim/{path} cannot be reached: {problem}")
        return json.loads(raw) if raw.strip() else {}

    def approve(self, uuid):
        self.call("approve", {"uuid": uuid, "account": self.account})

    def write(self, friend, text, room=None):
        body = {"account": self.account, "from": friend, "text": text}
        if room:
            body["room"] = room
        self.call("messages", body)

    def say(self, friend, said):
        """Anything but text; answers the MsgId."""
        body = {"account": self.account, "from": friend, "said": said}
        return self.call("messages", body)["msg_ids"][0]

    def sent_media(self, msg_id):
        """What the simulator says about media that this account sent."""
        sends = [send for send in self.call("journal")["sends"] if send["msg_id"] == str(msg_id)]
        return sends[0].get("media") if len(sends) == 1 else None

    def sends(self, mark):
        """What this account sent and the simulator accepted, as far as it carries `mark`."""
        return [
            send
            for send in self.call("journal")["sends"]
            if send["account"] == self.account and mark in (send.get("content") or "")
        ]

    def violations(self):
        """(hard, soft), each as distinct lines. A violation before login belongs to no account yet."""
        answer = self.call("violations")
        found = answer["violations"] if isinstance(answer, dict) else answer
        lines = {True: [], False: []}
        for violation in found:
            line = f"{violation['endpoint']}: {violation['what']}"
            kind = lines[bool(violation["hard"])]
            if violation.get("account") in (self.account, None, "") and line not in kind:
                kind.append(line)
        return lines[True], lines[False]


class LoopbackOnly(requests.adapters.HTTPAdapter):
    """Keeps a wrong host in an answer (redirect_uri, Location) from reaching the real service."""

    def __init__(self, host):
        super().__init__()
        self.host = host

    def send(self, request, **options):
        if urlsplit(request.url).hostname != self.host:
            raise requests.exceptions.InvalidURL(f"the server pointed the client at {request.url}")
        return super().send(request, **options)


class Complaints(logging.Handler):
    """The client swallows its own exceptions and logs them; each one is a disagreement with the server."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage().strip().rsplit("\n", 1)[-1])


def names(contact):
    """Every name by which the journal may call this peer."""
    return {contact["UserName"], contact["NickName"], contact.get("RemarkName")} - {"", None}


def find_friend(name):
    return next((f for f in itchat.get_friends() if f["NickName"].startswith(name)), None)


def send_media(run, phone, alice):
    """Uploads of one chunk and of two, each sent; and a recall."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content, send in (
            ("pixel.png", PIXEL, itchat.send_image),
            ("film.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", itchat.send_video),
            ("sticker.gif", b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
             itchat.send_image),
            ("表 格.csv", "甲,乙\n".encode() * 80_000, itchat.send_file),
        ):
            run.doing = f"sending {name}"
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(content)
            sent = send(path, toUserName=alice["UserName"])
            run.check(f"{name} accepted", sent, dict(sent))
            media = phone.sent_media(sent.get("MsgID")) or {}
            run.check(
                f"{name} arrived",
                (media.get("md5"), media.get("len")) == (hashlib.md5(content).hexdigest(), len(content))
                and media.get("file_name") == name,
                media,
            )
            if name == "pixel.png":
                taken = itchat.revoke(sent["MsgID"], alice["UserName"], sent["LocalID"])
                recalls = [recall["msg_id"] for recall in phone.call("journal")["recalls"]]
                run.check("recall", taken and sent["MsgID"] in recalls, dict(taken))


def receive_media(run, phone, alice, inbox):
    """Each kind arrives and its bytes are those that were said."""
    for kind, said, content in (
        ("Picture", "image", PIXEL),
        ("Picture", "sticker", b"GIF89a\x01\0\x01\0"),
        ("Recording", "voice", b"ID3" + bytes(400)),
        ("Video", "video", b"\0\0\0\x18ftypmp42" + bytes(3_000)),
        ("Attachment", "file", "甲,乙".encode()),
    ):
        data = {"data": base64.b64encode(content).decode()}
        if said == "file":
            data["name"] = "a b 表.csv"
        msg_id = phone.say(alice["NickName"], {said: data})
        msg = run.take(f"the {said}", inbox, lambda m: m["MsgId"] == msg_id)
        run.check(f"{said} kind", msg["Type"] == kind, msg["Type"])
        run.doing = f"the bytes of the {said}"
        got = msg["Text"]()
        run.check(f"{said} bytes", got == content, got[:80])
    run.doing = "faces"
    face = itchat.get_head_img(userName=alice["UserName"])
    run.check("face of a friend", face[:4] == b"\x89PNG", face[:80])


def befriend(run, phone, inbox):
    """The request arrives. Accepting it is what this client cannot do: its ticket stands in the wrong field."""
    order = {"account": phone.account, "from": {"nick": "新朋友"}, "greeting": "我是新朋友"}
    msg_id = phone.call("friend_request", order)["msg_id"]
    msg = run.take("the friend request", inbox, lambda m: m["MsgId"] == msg_id)
    run.check("friend request", msg["Type"] == "Friends" and msg["RecommendInfo"]["NickName"] == "新朋友", msg["Type"])
    run.doing = "accepting a friend"
    answer = itchat.add_friend(**msg["Text"])
    run.check("accepting is refused", answer["BaseResponse"]["Ret"] == -14, dict(answer))


def change_people_and_rooms(run, phone, alice, bob):
    def seen():
        accounts = phone.call("world")["accounts"]
        return next(account for account in accounts if account["name"] == phone.account)

    run.doing = "remark and pin"
    run.check("remark", itchat.set_alias(alice["UserName"], "爱丽丝"))
    run.check("remark kept", [f["remark"] for f in seen()["friends"] if f["nick"] == "Alice"] == ["爱丽丝"])
    run.check("pin", itchat.set_pinned(bob["UserName"]))

    run.doing = "making a room"
    made = itchat.create_chatroom([alice, bob], topic="新群")
    room = made.get("ChatRoomName", "")
    run.check("room made", made and room.startswith("@@"), dict(made))

    def members():
        return next((r["members"] for r in seen()["rooms"] if r["user_name"] == room), [])

    run.check("room members drawn in", len(members()) == 3, members())
    run.doing = "changing a room"
    run.check("member removed", itchat.delete_member_from_chatroom(room, [bob]))
    run.check("member gone", len(members()) == 2, members())
    run.check("member added", itchat.add_member_into_chatroom(room, [bob]))
    run.check("member back", len(members()) == 3, members())
    run.check("room renamed", itchat.set_chatroom_name(room, "改名了"))
    run.check("topic", "改名了" in [r["topic"] for r in seen()["rooms"]], seen()["rooms"])
    known = run.until("the room in the client", lambda: itchat.search_chatrooms(userName=room))
    run.check("topic at the client", known["NickName"] in ("新群", "改名了"), known["NickName"])


def drive(run, phone):
    client = itchat.originInstance
    complaints = Complaints()
    logging.getLogger("itchat").addHandler(complaints)
    for scheme in ("http://", "https://"):
        client.s.mount(scheme, LoopbackOnly(urlsplit(phone.base).hostname))
    itchat.config.BASE_URL = phone.base

    # Newline, markup characters, an entity that must be decoded once and only once, Chinese, emoji.
    mark = f"{os.getpid():x}-{time.time_ns():x}"
    private_in = f"[{mark}-p] 你好 <b>粗体</b> & &amp; 😄\n第二行"
    group_in = f"[{mark}-g] 大家好 <br/> & &lt; 😄\n第二行"
    private_out = f"[{mark}-r] 收到 <i>&lt;</i> & > 😄👍🏽\n第二行 \"完\""
    group_out = f"[{mark}-s] 群里收到 <br/> & &amp; 😄👨‍👩‍👧\n第二行 '完'"

    privates, groups = queue.Queue(), queue.Queue()
    received, send_results = [], []

    @itchat.msg_register(itchat.content.TEXT)
    def on_private(msg):
        received.append(msg["Text"])
        privates.put(msg)
        # A returned text is sent to where the message came from: the usual way of itchat bots.
        return private_out if f"{mark}-p" in msg["Text"] else None

    @itchat.msg_register(itchat.content.TEXT, isGroupChat=True)
    def on_group(msg):
        received.append(msg["Text"])
        if f"{mark}-g" in msg["Text"]:
            send_results.append(msg.user.send(group_out))
        groups.put(msg)

    inbox = queue.Queue()

    @itchat.msg_register(
        [itchat.content.PICTURE, itchat.content.RECORDING, itchat.content.VIDEO, itchat.content.ATTACHMENT,
         itchat.content.FRIENDS]
    )
    def on_media(msg):
        inbox.put(msg)

    statuses = []

    def scan(uuid):
        try:
            run.until(f"uuid {uuid} in /__sim/pending", lambda: uuid in phone.call("pending")["uuids"])
            phone.approve(uuid)
            run.doing = "login after the approval"
        except Failed as problem:
            run.finish(error=str(problem))  # the main thread is inside the client's login poll

    def on_qr(uuid, status, qrcode):
        statuses.append(status)
        if status == "0":  # the code was just drawn
            threading.Thread(target=scan, args=(uuid,), daemon=True).start()

    # The deprecated Thread.setDaemon that itchat uses still works on 3.11: no shim.
    run.doing = "login"
    itchat.auto_login(qrCallback=on_qr, loginCallback=lambda: None, exitCallback=lambda: None)
    run.check("login", client.alive and client.storageClass.userName.startswith("@"), statuses)
    itchat.run(blockThread=False)

    # Contacts were fetched inside the login.
    alice, bob = (find_friend(name) for name in FRIENDS)
    run.check("friends", alice and bob, [f["NickName"] for f in itchat.get_friends()])
    nicks = [f["NickName"] for f in itchat.get_friends()]
    run.check(
        "emoji in a nick",
        any(ord(c) > 0xFFFF for n in nicks for c in n) and not any("<span" in n for n in nicks),
        nicks,
    )
    if not (alice and bob):
        raise Failed("the friends needed for the texts are missing")
    # A room that is not saved may come with webwxinit or only with the first sync.
    room = run.until(f"room {ROOM} among the contacts", lambda: itchat.search_chatrooms(name=ROOM))[0]
    run.check("room", room)

    # itchat throws away the members that webwxinit gives, so a bot asks for them.
    run.doing = "members of the room"
    room = itchat.update_chatroom(room["UserName"])
    members = {m["UserName"]: m for m in room["MemberList"]}
    run.check(
        "room members",
        client.storageClass.userName in members and len(members) >= 2,
        [m.get("NickName") for m in members.values()],
    )
    detailed = itchat.update_chatroom(room["UserName"], detailedMember=True)
    run.check(
        "room member details",
        {m["UserName"] for m in detailed["MemberList"]} == set(members)
        and all("Sex" in m for m in detailed["MemberList"]),
        [dict(m) for m in detailed["MemberList"]][:2],
    )
    speaker, friend = next(
        ((m, f) for f in (bob, alice) for m in members.values() if m["NickName"] == f["NickName"]), (None, None)
    )
    if speaker is None:
        raise Failed(f"none of {FRIENDS} is a member of {ROOM}")

    phone.write(alice["NickName"], private_in)
    msg = run.take("the private text", privates, lambda m: f"{mark}-p" in m["Text"])
    run.check("private text", msg["Text"] == private_in, repr(msg["Text"]))
    run.check(
        "private sender",
        msg["FromUserName"] == alice["UserName"] and msg["User"]["NickName"] == alice["NickName"],
        dict(msg["User"]),
    )

    phone.write(friend["NickName"], group_in, room=ROOM)
    msg = run.take("the group text", groups, lambda m: f"{mark}-g" in m["Text"])
    run.check("group text", msg["Text"] == group_in, repr(msg["Text"]))
    run.check(
        "group sender",
        msg["ActualUserName"] == speaker["UserName"]
        and msg["ActualNickName"] == (speaker.get("DisplayName") or speaker["NickName"])
        and msg["User"]["UserName"] == room["UserName"],
        {k: msg[k] for k in ("ActualUserName", "ActualNickName", "FromUserName")},
    )
    run.check("group answer accepted", all(send_results) and send_results, send_results)

    for kind, text, peer in (("private", private_out, alice), ("group", group_out, room)):
        own_mark = text[1 : text.index("]")]
        sends = run.until(f"the {kind} answer in the journal", lambda: phone.sends(own_mark))
        run.check(f"{kind} answer text", sends[0]["content"] == text, repr(sends[0]["content"]))
        run.check(f"{kind} answer peer", sends[0]["to"] in names(peer), sends[0]["to"])
        run.check(f"{kind} answer sent once", len(sends) == 1, sends)

    send_media(run, phone, alice)
    receive_media(run, phone, alice, inbox)
    befriend(run, phone, inbox)
    change_people_and_rooms(run, phone, alice, bob)

    run.doing = "logout"
    itchat.logout()
    # Late on purpose: by now a batch that was delivered twice, or our own answers coming back, would be here.
    run.check("each text delivered once", len([t for t in received if mark in t]) == 2, received)
    run.check("client logged no errors", not complaints.lines, complaints.lines)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run, phone = Run(), Phone(sys.argv[1].rstrip("/"), sys.argv[2])

    def too_late():
        run.finish(error=f"deadline of {DEADLINE_S} s passed while waiting for: {run.doing}")

    # For waits inside the client; `until` and `take` end earlier and say more.
    watchdog = threading.Timer(DEADLINE_S, too_late)
    watchdog.daemon = True
    watchdog.start()

    error, hard, soft = None, (), ()
    try:
        drive(run, phone)
    except Failed as problem:
        error = str(problem)
    except SystemExit:
        error = f"itchat gave up: nothing answers at {phone.base}"  # its own reaction to a failed `GET /`
    except Exception as problem:
        traceback.print_exc()
        error = f"{type(problem).__name__} while waiting for: {run.doing}: {problem}"
    try:
        hard, soft = phone.violations()
    except (Failed, KeyError, ValueError) as problem:
        error = error or f"violations cannot be read: {problem!r}"
    run.finish(hard, soft, error)


if __name__ == "__main__":
    main()

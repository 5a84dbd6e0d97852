"""The status screen: the data of ``status.py`` on 80 columns.

The verdict, what needs an operator, the evidence, and the unknowns last but always there. Of more
than 12 nodes or volumes only what is not ok is shown, plus counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from salt_gluster.model import count, duration, is_unknown, size, some
from salt_gluster.render.automation import automation_lines
from salt_gluster.render.text import SCREEN, clean, wrap

#: More nodes or volumes than this, and only what is not ok is shown.
MANY = 12
_COLUMNS = ("name", "type", "state", "bricks", "to heal", "free", "if one more node fails")
#: What a member is that an operator has to bring back.
_MISSED = ("away", "unresponsive", "down", "gone")
#: Columns the last column must have, else it goes below its row.
_LAST = 20


def render_status(data: Mapping[str, Any], width: int = SCREEN) -> str:
    """Return the screen as text, no line wider than ``width``."""
    blocks = [
        _head(data, width),
        _verdict(data, width),
        _nodes(data["nodes"], width),
        _volumes(data, width),
        _doing(data, width),
        automation_lines(data["automation"], width) if "automation" in data else [],
        _end(data, width),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(data: Mapping[str, Any], width: int) -> list[str]:
    version = "version unknown" if is_unknown(data["version"]) else data["version"]
    numbers = [
        f"{noun}s unknown" if is_unknown(data[noun + "s"]) else count(number, noun)
        for noun, number in (("node", _total(data)), ("volume", len(data["volumes"])))
    ]
    title = f"{data['pool']}   " if data["pool"] else ""
    left = clean(f"{title}GlusterFS {version}   {', '.join(numbers)}")
    age = f" {duration(data['age_s'])} ago" if data["age_s"] >= 1 else ""
    seen = f"as of{age or ' now'}" if _is_copy(data) else f"seen by {data['seen_by']}{age}"
    right = clean(f"{data['clock']}, {seen}")
    room = width - len(left) - len(right)
    if room >= 3:
        return [left + " " * room + right]
    return [*wrap(left, width), *(line.rjust(width) for line in wrap(right, width))]


def _is_copy(data: Mapping[str, Any]) -> bool:
    return data.get("source") == "consul"


def _total(data: Mapping[str, Any]) -> int:
    return int(data["nodes"].get("total", 0))


# --- the verdict ---------------------------------------------------------------------------------


def _verdict(data: Mapping[str, Any], width: int) -> list[str]:
    lines = wrap(_of_data(data), width, "  DATA     ")
    lines += wrap(_of_service(data), width, "  SERVICE  ")
    todo = _of_you(data)
    shown = todo if len(todo) <= 8 else [*todo[:7], f"and {len(todo) - 7} more"]
    for number, text in enumerate(shown or ["nothing"]):
        lines += wrap(text, width, "           " if number else "  YOU      ")
    return lines


def _by_word(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return health word -> volumes; those that are not started stand under ``stopped``."""
    words: dict[str, list[str]] = {}
    for name, row in data["volumes"].items():
        stopped = row["word"] == "down" and row["status"] != "Started"
        words.setdefault("stopped" if stopped else row["word"], []).append(name)
    return words


def _of_data(data: Mapping[str, Any]) -> str:
    if is_unknown(data["volumes"]):
        return f"not known: {data['volumes']['unknown']}"
    if not data["volumes"]:
        return "there is no volume yet"
    total = len(data["volumes"])
    words = _by_word(data)
    risk, incomplete = words.get("data_at_risk", []), words.get("incomplete", [])
    torn = [n for n, r in data["volumes"].items() if _positive(r["split_brain"])]
    less = [
        n for w in ("degraded", "partial", "down") for n in words.get(w, [])
        if n not in torn or _lacks(data["volumes"][n])
    ]  # fmt: skip
    parts = []
    if risk:
        parts.append(f"AT RISK in {some(risk)}")
    if incomplete:
        parts.append(f"a brick of {some(incomplete)} is up but lacks data")
    if less:
        parts.append(f"in {len(less)} of {count(total, 'volume')} not every copy is up")
    if words.get("unknown"):
        parts.append(f"not known for {some(words['unknown'])}")
    if words.get("stopped"):
        parts.append(f"copies of {some(words['stopped'])} not looked at: not started")
    if torn:
        parts.append(f"split-brain in {some(torn)}")
    if not parts:
        return f"nothing lost; all copies of {_all(total)} are there"
    calm = set(words) <= {"ok", "degraded", "stopped"} and not torn
    return ("nothing known to be lost; " if calm else "") + "; ".join(parts)


def _lacks(row: Mapping[str, Any]) -> bool:
    """Whether not every brick of a volume is known to be up."""
    bricks = row["bricks"]
    return is_unknown(bricks) or bricks["up"] < bricks["total"]


def _all(total: int) -> str:
    return "the volume" if total == 1 else f"all {total} volumes"


def _of_service(data: Mapping[str, Any]) -> str:
    if is_unknown(data["volumes"]):
        return f"not known: {data['volumes']['unknown']}"
    words = _by_word(data)
    parts = []
    if words.get("down"):
        parts.append(f"{some(words['down'])} DOWN")
    split = [n for n, r in data["volumes"].items() if _positive(r["split_brain"])]
    if partly := [n for n in words.get("partial", ()) if n not in split]:
        parts.append(f"part of {some(partly)} DOWN")
    if split:
        parts.append(f"some files of {some(split)} CANNOT BE READ: split-brain")
    if full := [n for n, r in data["volumes"].items() if _level(r) == "full"]:
        parts.append(f"{some(full)} FULL: writes fail")
    if words.get("unknown"):
        parts.append(f"not known for {some(words['unknown'])}")
    works = [n for w in ("ok", "degraded", "data_at_risk", "incomplete") for n in words.get(w, ())]
    good = sum(n not in full and n not in split for n in works)
    total = len(data["volumes"])
    if good:
        parts.append(f"reading and writing works on {_all(total) if good == total else good}")
    if words.get("stopped"):
        parts.append(f"not started: {some(words['stopped'])}")
    return "; ".join(parts) or "there is nothing to serve"


def _of_you(data: Mapping[str, Any]) -> list[str]:
    """Return what an operator has to do, the most urgent first."""
    todo: list[str] = []
    if is_unknown(data["nodes"]):
        return [f"mend glusterd on {data['seen_by']}: systemctl status glusterd"]
    away = [n for n, m in data["nodes"]["members"].items() if m["state"] in _MISSED]
    if away:
        todo.append(f"bring {some(away)} back, or the network between")
    for name, member in data["nodes"]["members"].items():
        if member["state"] == "not_joined":
            todo.append(f"look at {name}: gluster pool list, here and there")
    if is_unknown(data["volumes"]):
        return [*todo, f"look again on {data['seen_by']}: gluster volume info"]
    for name in _by_word(data).get("stopped", ()):
        todo.append(f"start {name}, if it is to serve: gluster volume start {name}")
    for name, row in data["volumes"].items():
        if _positive(row["split_brain"]):
            todo.append(f"split-brain in {name}: gluster volume heal {name} info split-brain")
        if _level(row):
            todo.append(_of_room(name, row["free"]["fullest"]))
        if row["status"] == "Started" and row["bricks"].get("down"):
            todo.append(
                f"{some(row['bricks']['down'], 2)} is down on a node that is up: look why in its "
                f"brick log, then gluster volume start {name} force"
            )
    if data["versions"].get("equal") is False:
        todo.append("finish the upgrade: the members run different versions")
    todo += [_of_unmade(name, rows) for name, rows in data["not_made"].items()]
    if _hold(data).startswith("SET"):
        todo.append("a hold is set; when it is over: salt-run gluster.release")
    if (data.get("automation") or {}).get("trouble"):
        todo.append("mend what automation stands on: see NOTICE below")
    if not todo and data["exit"]:
        todo.append(f"look why it is {data['exit_word'].replace('_', ' ')}: see WHY below")
    return todo


def _level(row: Mapping[str, Any]) -> str:
    """Return ``full``, ``full_soon`` or nothing."""
    return str(row["free"].get("fullest", {}).get("level", ""))


def _of_room(name: str, fullest: Mapping[str, Any]) -> str:
    room = f"set {fullest['set']} has {size(fullest['bytes'])} ({fullest['percent']} %) free"
    soon = "is FULL" if fullest["level"] == "full" else "is full soon"
    return f"{name} {soon}: {room} on {fullest['brick']}: add bricks, or remove files"


def _of_unmade(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Say why a declared volume is not there, or how to make it."""
    why = "; ".join(f"{some(r['nodes'])} {_plural(r)} ({r['why']})" for r in rows[:3] if r["says"])
    why = why or "no node says why: salt '*' state.apply gluster"
    return f"{name} is declared and not made: {why}"


def _plural(row: Mapping[str, Any]) -> str:
    verb = str(row["says"])
    return verb.removesuffix("s") if len(row["nodes"]) > 1 else verb


def _positive(number: Any) -> bool:
    return isinstance(number, int) and number > 0


# --- nodes and volumes ---------------------------------------------------------------------------


def _nodes(nodes: Mapping[str, Any], width: int) -> list[str]:
    if is_unknown(nodes):
        return wrap(f"unknown: {nodes['unknown']}", width, "NODES  ")
    members = nodes["members"]
    kinds: dict[str, list[str]] = {}
    for name, member in members.items():
        kinds.setdefault(member["state"], []).append(name)
    heads = [f"{nodes['up']} up"]
    heads += [
        f"{len(names)} {kind.upper().replace('_', ' ')}"
        for kind, names in kinds.items()
        if kind != "up"
    ]
    text = ", ".join(heads)
    if nodes["total"] <= MANY and kinds.get("up"):
        text += f"   ({', '.join(kinds['up'])})"
    lines = wrap(text, width, "NODES  ")
    bad = [(n, m) for n, m in members.items() if m["state"] != "up"]
    indent = 2 + min(16, max((len(n) for n, _ in bad), default=0)) + 3
    for name, member in bad[:MANY]:
        lines += _beside(name, member["why"] + _holds(member["bricks"]), indent, width)
    if len(bad) > MANY:
        lines.append(f"  and {len(bad) - MANY} more")
    return lines


def _holds(bricks: Mapping[str, Any]) -> str:
    if is_unknown(bricks):
        return ""
    if not bricks:
        return "; no brick there"
    names = some(bricks, 5)
    return f"; {count(sum(bricks.values()), 'brick')} of {names}"


def _beside(name: str, text: str, indent: int, width: int) -> list[str]:
    label = f"  {clean(name)}"
    if len(label) + 1 > indent:
        return [*wrap(label.strip(), width, "  "), *wrap(text, width, " " * indent)]
    return wrap(text, width, label.ljust(indent))


def _volumes(data: Mapping[str, Any], width: int) -> list[str]:
    volumes, missing = data["volumes"], data["not_made"]
    if is_unknown(volumes):
        return wrap(f"unknown: {volumes['unknown']}", width, "VOLUMES  ")
    unmade = wrap(f"declared and not made: {some(missing)}", width, "  ") if missing else []
    if not volumes:
        return ["VOLUMES  none", *unmade]
    many = len(volumes) > MANY
    shown = {n: v for n, v in volumes.items() if not many or v["word"] != "ok" or _level(v)}
    fine = len(volumes) - len(shown)
    head = f"VOLUMES  {fine} of {len(volumes)} ok" if many else "VOLUMES"
    listed = dict(list(shown.items())[: 4 * MANY])
    lines = [head, *(_table([_row(n, v) for n, v in listed.items()], width) if listed else [])]
    if len(shown) > len(listed):
        lines.append(f"  and {len(shown) - len(listed)} more that are not ok")
    return [*lines, *unmade]


def _row(name: str, row: Mapping[str, Any]) -> list[str]:
    started = row["status"] == "Started"
    word = row["word"].replace("_", " ")
    if word == "ok" and _level(row):
        word = _level(row).replace("_", " ")
    state = word if started else row["status"].lower()
    free = row["free"]
    percent = f"{free['fullest']['percent']} %" if "fullest" in free else "?"
    after = row["next_loss"]
    return [
        clean(name),
        row["type"],
        clean(state),
        _bricks(row["bricks"]),
        _to_heal(row["to_heal"]),
        percent,
        "?" if is_unknown(after) else clean(after),
    ]


def _bricks(bricks: Mapping[str, Any]) -> str:
    if is_unknown(bricks):
        return f"?/{bricks['total']}"
    doubt = "?" if bricks["unseen"] else ""
    return f"{bricks['up']}{doubt}/{bricks['total']}"


def _to_heal(entries: Any) -> str:
    if is_unknown(entries):
        return f"{entries['at_least']}+" if "at_least" in entries else "?"
    return "-" if entries is None else str(entries)


def _table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the rows below their heads; a long name, or a long end, gets a line of its own."""
    table = [list(_COLUMNS), *rows]
    room = [max(len(row[i]) for row in table) for i in range(len(_COLUMNS) - 1)]
    middle = sum(r + 2 for r in room[1:])
    room[0] = min(room[0], max(len(_COLUMNS[0]), width - 2 - 2 - middle - _LAST))
    last = 2 + room[0] + 2 + middle
    lines: list[str] = []
    for row in table:
        lines += _line(row, room, last, width)
    return lines


def _line(row: Sequence[str], room: Sequence[int], last: int, width: int) -> list[str]:
    name, above = row[0], []
    if len(name) > room[0]:
        above, name = wrap(row[0], width, "  "), ""
    cells = [name.ljust(room[0]), row[1].ljust(room[1]), row[2].ljust(room[2])]
    cells += [row[i].rjust(room[i]) for i in (3, 4, 5)]
    start = "  " + "  ".join(cells) + "  "
    if width - last < _LAST:
        return [*above, *wrap(start, width, ""), *wrap(row[-1], width, "      ")]
    return [*above, *(line.rstrip() for line in wrap(row[-1], width, start, " " * last))]


# --- the evidence, and what is not known ---------------------------------------------------------


def _doing(data: Mapping[str, Any], width: int) -> list[str]:
    lines = wrap(_heal(data), width, "HEAL     ")
    pairs = (
        ("RUNNING", _running(data["running"])),
        ("HOLD", _hold(data)),
        ("VERSIONS", _versions(data["versions"])),
    )
    line = "        ".join(f"{label}  {text}" for label, text in pairs)
    if len(line) <= width:
        return [*lines, line]
    for label, text in pairs:
        lines += wrap(text, width, label.ljust(9) if len(label) < 9 else label + "  ")
    return lines


def _heal(data: Mapping[str, Any]) -> str:
    if is_unknown(data["volumes"]):
        return "unknown"
    parts, unknown = [], []
    for name, row in data["volumes"].items():
        entries = row["to_heal"]
        if _positive(entries) or "at_least" in (entries if is_unknown(entries) else ()):
            split = row["split_brain"]
            torn = f" ({split} in split-brain)" if _positive(split) else ""
            parts.append(f"{name} {_to_heal(entries)}{torn}")
        elif is_unknown(entries) and row["status"] != "Created":  # a stopped one may have some
            unknown.append(name if row["status"] == "Started" else f"{name} ({row['status']})")
    text = f"to heal: {some(parts, 5)}" if parts else ""
    if unknown:
        text += ("; " if text else "") + f"unknown for {some(unknown, 5)}"
    if not text:
        return "nothing to heal"
    waits = [n for n, m in _members(data) if m["state"] != "up" and m["bricks"]]
    return text + (f"; waits for {some(waits)}" if parts and waits else "")


def _members(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(data["nodes"].get("members", {}).items())


def _running(tasks: Any) -> str:
    if is_unknown(tasks):
        return "unknown"
    return some([f"{t['kind'].lower()} of {t['volume']}" for t in tasks], 4) or "nothing"


def _hold(data: Mapping[str, Any]) -> str:
    """Say where, by whom and why the pool is held: on a node, in Consul, or as the leader says."""
    holds, automation = data.get("holds") or (), data.get("automation") or {}
    if not holds and data["hold"] and not is_unknown(data["hold"]):
        holds = [{"where": "", **data["hold"]}]
    if holds:
        rows = [_one_hold(row) for row in holds[:3]]
        more = [f"and {len(holds) - 3} more"] if len(holds) > 3 else []
        return clean("; ".join([*rows, *more]))
    if is_unknown(data["hold"]):
        return "unknown, counts as set"
    if automation.get("mode") == "held":
        return clean(f"SET, says {automation.get('told_by') or 'the leader'}: {automation['why']}")
    return "none"


def _one_hold(row: Mapping[str, Any]) -> str:
    where = {"": "", "Consul": " for the pool"}.get(row["where"], f" on {row['where']}")
    by = f" by {row['by']}" if row["by"] else ""
    return f"SET{where}{by}: {row['reason']}"


def _versions(versions: Mapping[str, Any]) -> str:
    if is_unknown(versions):
        return "unknown"
    by_version = versions["max_op_versions"]
    if versions["equal"] is False:
        each = "; ".join(f"{v}: {some(names, 3)}" for v, names in sorted(by_version.items()))
        return f"DIFFER (max op-version {each})"
    if is_unknown(versions["equal"]):
        number = sum(len(names) for names in by_version.values())
        return f"equal on {number}, rest unknown" if number else "unknown"
    return "equal"


def _end(data: Mapping[str, Any], width: int) -> list[str]:
    lines: list[str] = []
    for entry in data["unknown"][:MANY]:
        start = " " * 9 if lines else "UNKNOWN  "
        why = shorten(clean(entry["why"]), 120, placeholder=" …")
        lines += wrap(f"{entry['what']} of {some(entry['subjects'])}: {why}", width, start)
    if len(data["unknown"]) > MANY:
        lines.append(f"         and {len(data['unknown']) - MANY} more, all in --out json")
    lines = lines or ["UNKNOWN  nothing"]
    return [*_source(data, width), *_later(data, width), *lines, *_why(data, width)]


def _later(data: Mapping[str, Any], width: int) -> list[str]:
    """Name what the leader knows of bricks, and no node has told."""
    rows = list(data.get("leader_knows", {}).items())
    lines: list[str] = []
    for brick, words in rows[:MANY]:
        lines += wrap(f"of {brick} later news: {words}", width, " " * 9)
    more = [f"         and of {len(rows) - MANY} more bricks"] if len(rows) > MANY else []
    return [*lines, *more]


def _source(data: Mapping[str, Any], width: int) -> list[str]:
    """Say where all this is from, and how old it is."""
    if "source" not in data:
        return []
    start = "SOURCE   "
    if not _is_copy(data):
        because = f": {data['asked_because']}" if data["asked_because"] else ""
        return wrap(f"the nodes, asked just now{because}", width, start)
    ages = sorted((a, name) for name, a in data["ages_s"].items() if not is_unknown(a))
    (first, _), (last, oldest) = ages[0], ages[-1]
    old = f"at most {duration(last)} old"
    if duration(first) != duration(last):
        old = f"{old} ({oldest}; the youngest part {duration(first)})"
    return wrap(f"Consul's copy, {old}; live=True asks the nodes", width, start)


def _why(data: Mapping[str, Any], width: int) -> list[str]:
    left = f"WHY      salt-run gluster.explain volume={clean(data['worst']) or 'NAME'}"
    right = f"exit {data['exit']}, {data['exit_word'].replace('_', ' ')}"
    room = width - len(left) - len(right)
    if room >= 2:
        return [left + " " * room + right]
    return [*wrap(left, width), right.rjust(width)]

"""Decides whether a constant Cypher statement of ours stays inside one tenant: default deny, a narrow dialect."""

import re
from dataclasses import dataclass, field

_CLAUSE = re.compile(
    r"\b(OPTIONAL MATCH|MATCH|UNWIND|(?<!STARTS )WITH|CREATE|MERGE|SET|DETACH DELETE|RETURN|ORDER BY|LIMIT)\b"
)
_NODE = re.compile(
    r"\((?P<var>[a-z]\w*)(?::(?P<label>[A-Z]\w*|\$\(\$t\)))?(?: \{_key: (?P<key>\$\w*key|row\.\w*key)\})?\)"
)
_RELATIONSHIP = re.compile(r"<?-\[[a-z]*(?::[A-Z_]+)?\]->?")
_MERGE = re.compile(r"\(([a-z]\w*)\)-\[:[A-Z_]+\]->\(([a-z]\w*)\)")
_ASSIGNMENT = re.compile(r"(?P<var>[a-z]\w*)\.(?:[a-z]\w*|_at|_touch) = (?:row\.\w+|\$\w+|\d+)")
_PATTERN = re.compile(r"\]-|-\[|--|<-|->|\) ?-|\) ?<(?!>)")
_RETURNED = re.compile(r"[a-z]\w*\.[a-z]\w*|count\((?P<counted>\*|[a-z]\w*)\)")
_KEYWORD = re.compile(
    r"\b(match|optional|unwind|with|create|merge|set|delete|detach|return|where|call|load|foreach|remove|union|use)\b",
    re.IGNORECASE,
)
_FORBIDDEN = (
    (re.compile(r"[;`\\\"]|//|/\*|\*\d|\*\.\.|\[\*"), "a quote, comment, escape, second statement or open path"),
    (
        re.compile(
            r"\b(CALL|LOAD|FOREACH|REMOVE|USE|EXISTS|COLLECT|UNION|SHOW|DROP|ON|NODETACH|INSERT|FINISH|YIELD|shortestPath)\b"
        ),
        "a clause outside the dialect",
    ),
    (re.compile(r"(?<!DETACH )DELETE|DETACH (?!DELETE)"), "a deletion outside the dialect"),
    (re.compile(r"\{(?!_key: (?:\$\w*key|row\.\w*key)\})"), "braces that are not a look-up by key"),
)


@dataclass
class _Scope:
    """The variables bound so far: nodes proven to be the tenant's, those that may be null, and a sweep's suspects."""

    own: set[str] = field(default_factory=set)
    maybe: set[str] = field(default_factory=set)
    suspects: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def faults_of(text: str, *, sweep: bool = False) -> list[str]:
    """Return why `text` might reach beyond the tenant `$t`; empty when every node in it is proven to be the tenant's.

    With `sweep` a node may instead be one that the invariants forbid (`NOT $t IN labels(m)`): only its count is shown.
    """
    faults = [f"contains {what}" for pattern, what in _FORBIDDEN if pattern.search(text)]
    text = " ".join(text.split())
    if any(not found.group().isupper() for found in _KEYWORD.finditer(text)):
        faults.append("a keyword that is not in capitals")
    pieces = _CLAUSE.split(text)
    if pieces[0].strip() or len(pieces) < 2:
        faults.append("does not begin with a clause")
    clauses = [(pieces[i], pieces[i + 1].strip()) for i in range(1, len(pieces) - 1, 2)]
    scope = _Scope(faults=faults)
    for position, (keyword, body) in enumerate(clauses):
        following = clauses[position + 1] if position + 1 < len(clauses) else ("", "")
        if keyword in {"MATCH", "OPTIONAL MATCH"}:
            _match(body, scope, sweep=sweep, optional=keyword != "MATCH")
        elif keyword == "WITH":
            _narrow(body, scope)
        elif keyword == "CREATE":
            _create(body, following, scope)
        elif keyword == "MERGE":
            _merge(body, scope)
        elif keyword == "SET":
            _set(body, clauses[position - 1], scope)
        elif keyword == "DETACH DELETE":
            _delete(body, scope)
        elif keyword == "RETURN":
            _return(body, scope)
        if keyword not in {"MATCH", "OPTIONAL MATCH", "MERGE"} and _PATTERN.search(body):
            scope.faults.append(f"a pattern in {keyword}")
        if keyword == "UNWIND" and body != "$rows AS row":
            scope.faults.append("UNWIND of something other than $rows")
    return scope.faults


def _conjuncts(condition: str) -> list[str]:
    """Split at each AND outside brackets."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"[(\[]|[)\]]| AND ", condition):
        if match.group() == " AND ":
            if depth == 0:
                parts.append(condition[start : match.start()])
                start = match.end()
        else:
            depth += 1 if match.group() in "([" else -1
    parts.append(condition[start:])
    return [part.strip() for part in parts]


def _outside_brackets(condition: str) -> str:
    while (shorter := re.sub(r"\([^()]*\)", "", condition)) != condition:
        condition = shorter
    return condition


def _match(body: str, scope: _Scope, *, sweep: bool, optional: bool) -> None:
    pattern, _, condition = body.partition(" WHERE ")
    conditions = _conjuncts(condition) if condition else []
    if any(re.search(r"\b(OR|XOR)\b", _outside_brackets(part)) for part in conditions):
        scope.faults.append("OR outside brackets beside the tenant's condition")
    if _PATTERN.search(condition):
        scope.faults.append("a pattern inside WHERE")
    nodes = list(_NODE.finditer(pattern))
    if _RELATIONSHIP.sub("", _NODE.sub("", pattern)).strip():
        scope.faults.append(f"a pattern outside the dialect: {pattern}")
    entered = False
    for node in nodes:
        var, label = node["var"], node["label"]
        by_label = label == "$($t)"
        entered |= by_label or node["key"] is not None or var in scope.own
        entered |= f"{var}._key STARTS WITH $prefix" in conditions
        if by_label or var in scope.own or f"$t IN labels({var})" in conditions:
            # What may be null is never written to: ArcadeDB makes an unlabelled node of it.
            (scope.maybe if optional else scope.own).add(var)
        elif sweep and (f"NOT $t IN labels({var})" in conditions or f"{var}._key STARTS WITH $prefix" in conditions):
            scope.suspects.add(var)
        else:
            scope.faults.append(f"node {var} is not held to the tenant")
    if not entered:
        scope.faults.append("a pattern that enters neither by key nor by the tenant's label")


def _narrow(body: str, scope: _Scope) -> None:
    names = {part.strip() for part in body.partition(" WHERE ")[0].split(",")}
    if not all(re.fullmatch(r"[a-z]\w*", name) for name in names):
        scope.faults.append("WITH of something other than plain names")
    scope.own &= names
    scope.maybe &= names
    scope.suspects &= names


def _create(body: str, following: tuple[str, str], scope: _Scope) -> None:
    node = _NODE.fullmatch(body)
    if node is None or node["key"] or node["label"] in {None, "$($t)"} or node["var"] in scope.own:
        scope.faults.append("CREATE of something other than one fresh node with its type")
        return
    var = node["var"]
    if following[0] != "SET" or not re.match(rf"{var}:\$\(\$t\), {var}\._key = row\.\w*key(,|$)", following[1]):
        scope.faults.append(f"node {var} is created without the tenant's label and key")
    scope.own.add(var)


def _merge(body: str, scope: _Scope) -> None:
    found = _MERGE.fullmatch(body)
    if found is None or not set(found.groups()) <= scope.own:
        scope.faults.append("MERGE of something other than a relationship between the tenant's nodes")


def _set(body: str, before: tuple[str, str], scope: _Scope) -> None:
    items = [item.strip() for item in body.split(",")]
    if before[0] == "CREATE":
        items = items[2:]
    for item in items:
        found = _ASSIGNMENT.fullmatch(item)
        if found is None or found["var"] not in scope.own:
            scope.faults.append(f"SET of something other than one property of the tenant's node: {item}")


def _delete(body: str, scope: _Scope) -> None:
    if body not in scope.own:
        scope.faults.append("DELETE of a node that is not proven to be the tenant's")


def _return(body: str, scope: _Scope) -> None:
    for item in body.split(","):
        found = _RETURNED.fullmatch(item.strip().partition(" AS ")[0])
        if found is None:
            scope.faults.append(f"RETURN of something other than a property or a count: {item}")
        elif not found["counted"] and found.group().split(".")[0] in scope.suspects:
            scope.faults.append("RETURN of more than a count in a sweep")

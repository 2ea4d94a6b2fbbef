"""Numbers that only the words before them make personal: passports, licences, national ids, accounts, patients."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.scanners.guard import vocabularies as said
from app.scanners.guard.contexts import around
from app.scanners.guard.recognisers import certainty
from app.scanners.guard.words import Rulebook, Words, word_set

_MARKS = r"[\s:=#\"'“”(»>.,*`|-]"
_FILLER = (
    rf"(?:{_MARKS}{{0,4}}(?:is|was|are|no|nr|num|number|numbers|nummer|numero|numer|n[°o]?|id|code|card|my|the|der|lautet|ist|est|es|e|"
    r"reads|ends|and|para|de|del|di|du|mi|meine|mein|il|le|currently|номер|будет|是|号|号码|は|번호)(?![^\W_]))"
    rf"{{0,5}}{_MARKS}{{0,5}}"
)


@dataclass(frozen=True, slots=True)
class Label:
    """What introduces a number of `kind`: `starts` are the words `pattern` begins with; its group is the number."""

    kind: str
    score: float
    digits: int
    starts: frozenset[str]
    pattern: re.Pattern[str]


def _label(kind: str, score: float, digits: int, starts: str, label: str, value: str) -> Label:
    pattern = re.compile(rf"(?:{label})(?![^\W_](?<![\u3040-\uffff])){_FILLER}({value})(?![^\W_]|-\w)", re.IGNORECASE)
    return Label(kind, score, digits, word_set(starts), pattern)


LABELS = (
    _label(
        "passport",
        0.9,
        5,
        "passport passports reisepass reisepassnummer reisepassnr passnummer passeport pasaporte passaporto passaporte paspoort "
        "paspoortnummer paszport paszportu паспорт паспорта паспорте 护照 パスポート",
        r"passports?|reisepass(?:nummer|nr)?|passnummer|passeport|pasaporte|passaport[oe]|paspoort(?:nummer)?|paszportu?|паспорт[ае]?|护照|パスポート",
        r"[A-Z]{1,3} ?\d{6,8}|\d{2} \d{2} \d{6}|\d{8,10}|[A-Z]\d[A-Z0-9]{7}|[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{8}|\d{2}[A-Z]{2}\d{5}",
    ),
    _label(
        "driver-licence",
        0.8,
        5,
        "driving driver drivers driver's fuhrerschein fuhrerscheinnummer permis licencia permiso patente rijbewijs rijbewijsnummer dln dl",
        r"driv(?:ing|er|ers|er's) licen[cs]e|fuhrerschein(?:nummer)?|permis de conduire|licencia de conducir|permiso de conducir|"
        r"patente di guida|rijbewijs(?:nummer)?|dln|(?-i:DL)",
        r"(?=[A-Z]{0,6}\d|[A-Z]{1,3}[ -]\d)[A-Z0-9]{1,16}(?:[ -]?[A-Z0-9]{2,8}){0,4}",
    ),
    _label(
        "national-id",
        0.85,
        6,
        "national identity nino ni aadhaar aadhar dni nie nif bsn burgerservicenummer cpf pesel personnummer fodselsnummer henkilotunnus hetu "
        "tfn nric steuer steueridentifikationsnummer steuerid idnr personalausweis personalausweisnummer ausweisnummer insee securite codice curp "
        "cedula social sozialversicherungsnummer rentenversicherungsnummer снилс инн tax 身份证 주민등록번호 マイナンバー",
        r"national (?:id|identity|insurance)|identity card|nino|(?-i:NI)(?= num| no| n[°o]| is|:)|aadhaa?r|dni|(?-i:NIE)|nif|bsn|burgerservicenummer|cpf|pesel|personnummer|"
        r"fodselsnummer|henkilotunnus|hetu|tfn|nric|steuer-?id(?:entifikationsnummer)?|idnr|personalausweis(?:nummer)?|"
        r"ausweisnummer|insee|securite sociale|codice fiscale|curp|cedula(?: de (?:ciudadania|identidad))?|social insurance|"
        r"sozialversicherungsnummer|rentenversicherungsnummer|снилс|инн|tax (?:file|id)|身份证|주민등록번호|マイナンバー",
        r"(?=[A-Z]{0,6}\d|[A-Z]{1,2}[ -]\d)[A-Z0-9]{1,18}(?:[ ./+-][A-Z0-9]{1,8}){0,5}",
    ),
    _label(
        "medical-record",
        0.8,
        5,
        "mrn medical patient nhs krankenversichertennummer versichertennummer health medicare patientennummer",
        r"mrn|medical record|patient (?:id|number|no|identifier)|nhs|krankenversichertennummer|versichertennummer|health (?:insurance|card)|"
        r"medicare|patientennummer",
        r"(?=[A-Z]{0,4}\d|[A-Z]{1,3}[ -]\d)[A-Z0-9]{1,12}(?:[ -][A-Z0-9]{1,8}){0,3}",
    ),
    _label(
        "bank-account",
        0.8,
        6,
        "bank checking savings current deposit payroll account acct kontonummer kto numero rekeningnummer conto routing sort aba номер 银行账号",
        r"(?:bank|checking|savings|current|deposit|payroll) (?:account|acct)|account (?:number|no|nr)|acct|kontonummer|kto|"
        r"numero de (?:cuenta|compte)|rekeningnummer|conto corrente|routing(?: transit)?(?: number| no| nr| code|(?=:))|sort code|aba|номер счета|银行账号",
        r"\d{2}[- ]\d{2}[- ]\d{2}(?!\d)|\d{6,17}|\d{3,5}(?:[ -]\d{2,10}){1,4}",
    ),
)
_LABELS = Rulebook(LABELS)
_BACKWARDS = re.compile(
    r"(?<![\w-])((?=[A-Z]{0,3}\d)[A-Z0-9]{6,12})(?![\w-]),? (?:is|was) (?:my|his|her|the|their|our)(?: [a-z']{1,12}){0,2} passport\b",
    re.IGNORECASE,
)
_DISTINCT = re.compile(
    r"(?<![\w-])(?:(?P<ES_NIE>[XYZ]-?\d{7}-?[A-Z])|(?P<ES_NIF>\d{8}-?[A-HJ-NP-TV-Z])"
    r"|(?P<IT_FISCAL_CODE>[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])|(?P<FI_PERSONAL_IDENTITY_CODE>\d{6}[-+A]\d{3}[0-9A-Y])"
    r"|(?P<UK_NINO>[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]))(?![\w-])"
)
_ACCOUNT_NUMBER = re.compile(r"account (?:number|no|nr)", re.IGNORECASE)


def identities(text: str, words: Words) -> Iterator[tuple[str, int, int, float]]:
    """Kind, start, end and score of every labelled number, and of national ids whose shape and checksum tell enough."""
    for label, found in words.matches(_LABELS):
        value = _without_words(found.group(1))
        if sum(character.isdigit() for character in value) < label.digits:
            continue
        if label.kind != "bank-account" or _of_a_bank(text, found):
            yield label.kind, found.start(1), found.start(1) + len(value), label.score
    if "passport" in words:
        for found in _BACKWARDS.finditer(text):
            if sum(character.isdigit() for character in found.group(1)) >= 5:
                yield "passport", found.start(1), found.end(1), 0.8
    for found in _DISTINCT.finditer(text):
        entity = str(found.lastgroup)
        near = around(text, *found.span())
        sure = certainty(entity, found.group()) >= (0.5 if entity == "UK_NINO" else 1.0)
        if sure and near.distance(said.NOT_PERSONAL - {"example"}, reach=4) is None:
            yield "national-id", found.start(), found.end(), 0.85


def _of_a_bank(text: str, found: re.Match[str]) -> bool:
    """`account number` alone may be a customer's number anywhere; it takes a second word of banking near it."""
    if not _ACCOUNT_NUMBER.match(found.group()):
        return True
    return around(text, found.start(), found.end()).distance(said.BANKING) is not None


def _without_words(value: str) -> str:
    """`value` up to the last part that holds a digit: what follows it is the sentence going on."""
    parts = list(re.finditer(r"[^ ./+-]+", value))
    while len(parts) > 1 and not _numeric(parts[-1].group()) and len(parts[-1].group()) > 1:
        parts.pop()
    return value[: parts[-1].end()] if parts else value


def _numeric(part: str) -> bool:
    return any(character.isdigit() for character in part)

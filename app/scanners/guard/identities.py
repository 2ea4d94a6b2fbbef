"""Numbers that only the words before them make personal: passports, licences, national ids, accounts, patients."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from collections.abc import Iterator

from app.scanners.guard import vocabularies as said
from app.scanners.guard.contexts import around
from app.scanners.guard.recognisers import certainty

_FILLER = (
    r"(?:[\s:=#\"'“”(»>.,*`|-]{0,4}(?:is|was|are|no|nr|num|number|numbers|nummer|numero|numer|id|code|card|my|the|der|lautet|ist|est|es|e|"
    r"reads|ends|and|reads|para|de|del|di|du|mi|meine|mein|il|le|currently|номер|number is|as follows|будет|是|号|号码|は|번호)(?![^\W_]))"
    r"{0,5}[\s:=#\"'“”(»>.*`|-]{0,5}"
)

_LABELS: tuple[tuple[str, str, str, float], ...] = (
    (
        "passport",
        r"passports?|reisepass(?:nummer|nr)?|passnummer|passeport|pasaporte|passaporto|passaporte|paspoort(?:nummer)?|paszport\w{0,4}"
        r"|паспорт\w{0,3}|护照(?:号码|号)?|パスポート(?:番号)?",
        r"(?:[A-Z]{1,3} ?\d{6,8}|\d{2} \d{2} \d{6}|\d{8,10}|[A-Z]\d[A-Z0-9]{7}|[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{8}|\d{2}[A-Z]{2}\d{5})",
        0.9,
    ),
    (
        "driver-licence",
        r"driv(?:ing|er|ers|er's|er’s) licen[cs]e|fuhrerschein(?:nummer|nr)?|permis de conduire|licencia de conducir"
        r"|permiso de conducir|patente di guida|rijbewijs(?:nummer)?|DLN|DL",
        r"(?=[A-Z0-9 -]{0,12}\d{2})[A-Z0-9]{1,8}(?:[ -]?[A-Z0-9]{2,8}){0,4}",
        0.8,
    ),
    (
        "national-id",
        r"national (?:id|identity|insurance)(?: card)?|identity card|nino|NI|aadhaa?r|uid(?:ai)|dni|nie|nif|bsn|burgerservicenummer"
        r"|cpf|pesel|personnummer|fodselsnummer|henkilotunnus|hetu|tfn|nric|steuer-?id|steuer-?identifikationsnummer|idnr"
        r"|personalausweis(?:nummer|nr)?|ausweisnummer|insee|numero de securite sociale|securite sociale|codice fiscale|curp|rfc"
        r"|cedula(?: de ciudadania)?|rut|social insurance|sozialversicherungsnummer|rentenversicherungsnummer|снилс|инн|身份证(?:号码|号)?"
        r"|주민등록번호|マイナンバー|tax file",
        r"(?=[A-Z0-9 ./+-]{0,10}\d{2})[A-Z0-9]{1,18}(?:[ ./+-][A-Z0-9]{1,8}){0,5}",
        0.85,
    ),
    (
        "medical-record",
        r"mrn|medical record|patient (?:id|number|no|identifier)|nhs|krankenversichertennummer|versichertennummer|health insurance"
        r"|medicare|patientennummer|health card",
        r"(?=[A-Z0-9 -]{0,8}\d{2})[A-Z0-9]{1,12}(?:[ -][A-Z0-9]{1,8}){0,3}",
        0.8,
    ),
    (
        "bank-account",
        r"(?:bank|checking|savings|current|deposit|payroll) (?:account|acct)|account (?:number|no|nr)|acct|kontonummer|kto"
        r"|numero de cuenta|numero de compte|rekeningnummer|conto corrente|routing|sort code|aba|номер счета|银行账号",
        r"\d{2}[- ]\d{2}[- ]\d{2}|\d{6,17}|\d{3,5}(?:[ -]\d{2,10}){1,4}",
        0.8,
    ),
)
_COMPILED = tuple(
    (kind, re.compile(rf"(?<![^\W_])(?:{label})(?![^\W_])({_FILLER})({value})(?![^\W_])", re.IGNORECASE), score)
    for kind, label, value, score in _LABELS
)
_BACKWARDS = re.compile(
    r"(?<![\w-])((?=[A-Z]{0,3}\d)[A-Z0-9]{6,12})(?![\w-]) (?:is|was) (?:my|his|her|the|their|our)(?: [a-z']{1,12}){0,2} passport\b",
    re.IGNORECASE,
)
_DISTINCT = re.compile(
    r"(?<![\w-])(?:(?P<ES_NIE>[XYZ]-?\d{7}-?[A-Z])|(?P<ES_NIF>\d{8}-?[A-HJ-NP-TV-Z])"
    r"|(?P<IT_FISCAL_CODE>[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])|(?P<FI_PERSONAL_IDENTITY_CODE>\d{6}[-+A]\d{3}[0-9A-Y])"
    r"|(?P<UK_NINO>[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]))(?![\w-])"
)
_ACCOUNT_NUMBER = re.compile(r"account (?:number|no|nr)", re.IGNORECASE)
_MINIMUM_DIGITS = {"passport": 5, "driver-licence": 5, "national-id": 6, "medical-record": 5, "bank-account": 6}


def identities(text: str) -> Iterator[tuple[str, int, int, float]]:
    """Kind, start, end and score of every labelled number, and of national ids whose shape and checksum tell enough."""
    for kind, pattern, score in _COMPILED:
        for found in pattern.finditer(text):
            value = _without_words(found.group(2))
            if sum(character.isdigit() for character in value) < _MINIMUM_DIGITS[kind]:
                continue
            if kind == "bank-account" and not _of_a_bank(text, found):
                continue
            yield kind, found.start(2), found.start(2) + len(value), score
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
    while (
        len(parts) > 1
        and not any(character.isdigit() for character in parts[-1].group())
        and len(parts[-1].group()) > 1
    ):
        parts.pop()
    return value[: parts[-1].end()] if parts else value

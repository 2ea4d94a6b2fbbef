"""The words that call a number something, accent-free and lower case, in the languages of our customers."""

from app.scanners.guard.words import word_set as _set

CARD = _set(
    "card cards creditcard debitcard credit debit visa mastercard amex maestro diners jcb unionpay cvv cvc cvn "
    "cardholder plastic kreditkarte kreditkarten kreditkartennummer karte kartennummer debitkarte bankkarte "
    "girokarte carte carta cartao tarjeta tarjetas cartes creditcardnummer kaart kaartnummer bankkaart pinpas "
    "kort kortnummer kreditkort karta karty karti kart kartimin numero_de_carte kredi luottokortti kreditni карта "
    "карты карте карту картой карточка карточки карточку カード クレジットカード 信用卡 银行卡 카드 신용카드"
)
PAYING = _set(
    "charge charged charging billed bill pay paying payment expires expiry expiration exp valid belaste belasten "
    "abbuchen cobrar cobre debite debitez debiter valable gultig"
)
NOT_CARD = _set(
    "order orders application tracking track shipment parcel package invoice rechnung reference ref ticket sku "
    "serial imei isbn ean upc gtin barcode request trace span session batch job build commit hash uuid guid "
    "timestamp epoch case incident event transaction txn bestellung bestellnummer sendung sendungsnummer commande "
    "suivi pedido seguimiento ordine zakaz customer kundennummer loyalty membership library rewards gift sim "
    "iccid phone graphics sound video memory network message offset node pid row id заказ заказа трек накладная"
)
IBAN = _set(
    "iban bank account konto kontonummer kontoverbindung compte cuenta conto rekening conta bankverbindung счет"
)
BANKING = _set(
    "bank banking routing aba sort wire deposit checking savings transfer iban swift bic bsb giro payroll "
    "uberweisung virement transferencia bonifico sterling barclays lloyds hsbc natwest chase"
)
NOT_PERSONAL = _set(
    "order orders tracking shipment invoice sku serial part item model version build commit hash uuid timestamp "
    "ticket case incident event transaction request trace session batch job port error code isbn ean rfc cve "
    "example issue"
)
SSN = _set("ssn ssns social security socialsecurity sozialversicherungsnummer taxpayer itin")
PHONE = _set(
    "phone phones telephone tel mobile cellphone whatsapp sms hotline telefon telefonnummer handy handynummer "
    "mobil mobilnummer portable telefono movil celular cellulare telefone telemovel telefoonnummer mobiel puhelin "
    "telefonu komorka телефон телефона мобильный 电话 手机 電話 携帯 전화 fax"
)
CALLING = _set(
    "call calling called text texted ring dial reach reached contact cell mob phoned signal anrufen rufen ruf "
    "erreichbar erreichen appelez appeler appelle joindre llamar llame llamame llamad chiamare chiami chiamami "
    "ligar ligue bel bellen zadzwon zadzwonic ringa soita звоните позвоните звони numerze"
)
SPEAKER = _set(
    "me us him her my his our their i you she he mich mir uns meine unter moi nous mon au mi nos al para mij mig "
    "mnie мне меня на или number numero nummer numer on at"
)
NOT_PHONE = NOT_PERSONAL | _set(
    "ref reference invoice number account id imei meter customer batch lot product article artikel bestellung "
    "bestellnummer policy claim po rma asin siret vat zip postcode pid offset bytes ids tan seriennummer "
    "bestellnr"
)
BIRTH = _set(
    "dob birth birthday birthdate born geboren geburtsdatum geburtstag geb ne nee naissance nacimiento nacido "
    "nacida nascita nato nata nascimento nascido geboortedatum fodt fodelsedatum urodzenia urodzony рождения "
    "родился родилась 出生 生年月日"
)
ROUTES = _set("wallet btc bitcoin eth ethereum crypto usdt ledger metamask address")
ADDRESSES = _set("ip ipv4 ipv6 address")
PERSON = _set(
    "my your his her their our home user users customer customers client visitor visitors subscriber employee "
    "patient guest caller me i mine personal mein meine meiner kunde kundin nutzer mon ma mi moi suo mio"
)

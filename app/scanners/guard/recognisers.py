"""presidio-analyzer's recognisers without a language model, and without spaCy: only patterns and checksums."""

import ipaddress
import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_UNUSED = ("spacy", "thinc")
_lock = threading.Lock()
_loaded: dict[str, Any] = {}


class _Named(type):
    """A class of which any attribute is a maker of decorators that change nothing (spaCy's registries are)."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: lambda decorated: decorated


class _Placeholder(ModuleType):
    """Stands for a spaCy module while presidio is imported: any name in it is an empty class."""

    __path__: list[str] = []  # noqa: RUF012 - the import system wants it on the module

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (), {})


class _WithoutSpacy(MetaPathFinder, Loader):
    """Answers imports of spaCy with placeholders: presidio names its types but our recognisers never use it.

    spaCy would cost 1.5 s and 60 MB in every process.
    """

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        absent = fullname.partition(".")[0] in _UNUSED
        return ModuleSpec(fullname, self, is_package=True) if absent else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        del module


def load() -> dict[str, Any]:
    """The recognisers by entity name, built once in a process. No download, no file written. Thread-safe."""
    if not _loaded:
        with _lock:
            if not _loaded:
                _import_presidio()
                _loaded.update(_build())
    return _loaded


def _import_presidio() -> None:
    if "presidio_analyzer" in sys.modules or "spacy" in sys.modules:
        import presidio_analyzer

        return
    finder = _WithoutSpacy()
    sys.meta_path.insert(0, finder)
    try:
        import presidio_analyzer.predefined_recognizers  # noqa: F401
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Placeholder)]:
            del sys.modules[name]


def _build() -> dict[str, Any]:
    import tldextract
    from presidio_analyzer import predefined_recognizers as known

    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class OfflineEmail(known.EmailRecognizer):
        """E-mail addresses, their domain checked against the suffix list inside the package."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(suffixes(pattern_text.rpartition("@")[2]).fqdn)

    recognisers = {
        "CREDIT_CARD": known.CreditCardRecognizer(),
        "CRYPTO": known.CryptoRecognizer(),
        "EMAIL_ADDRESS": OfflineEmail(supported_entity="EMAIL_ADDRESS"),
        "IBAN_CODE": known.IbanRecognizer(),
        "IP_ADDRESS": known.IpRecognizer(),
        "PHONE_NUMBER": known.PhoneRecognizer(supported_regions=("US",), leniency=1),
        "US_SSN": known.UsSsnRecognizer(),
        "ES_NIF": known.EsNifRecognizer(),
        "ES_NIE": known.EsNieRecognizer(),
        "IT_FISCAL_CODE": known.ItFiscalCodeRecognizer(),
        "UK_NINO": known.UkNinoRecognizer(),
        "UK_NHS": known.NhsRecognizer(),
        "PL_PESEL": known.PlPeselRecognizer(),
        "IN_AADHAAR": known.InAadhaarRecognizer(),
        "IN_PAN": known.InPanRecognizer(),
        "FI_PERSONAL_IDENTITY_CODE": known.FiPersonalIdentityCodeRecognizer(),
    }
    suffixes("warm.example.com")
    return recognisers


def certainty(entity: str, value: str) -> float:
    """How sure presidio's recogniser of `entity` is that `value` (under 400 characters) is one, 0 to 1."""
    results = load()[entity].analyze(value, [entity])
    covering = [result.score for result in results if result.end - result.start >= 0.8 * len(value)]
    return float(max(covering, default=0.0))


def is_public_address(value: str) -> bool:
    """Whether `value` is an IP address that is routed on the Internet."""
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False

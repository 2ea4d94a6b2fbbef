"""What Authlib sends with: a session of the one outbound client, which follows no redirect and reads JSON alone."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from app.core.outbound import Policy, Refused, Response, Unreachable, fetch, locate
from app.services.openid.faults import ProviderFault


class Reply:
    """An answer with the three things that Authlib's client asks of one."""

    def __init__(self, response: Response) -> None:
        self.status_code = response.status
        self._response = response

    def raise_for_status(self) -> None:
        """Raise ProviderFault for a status from 400 on."""
        if self.status_code >= 400:
            raise ProviderFault(f"{locate(self._response.url).authority} answered with status {self.status_code}.")

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError for any other, and for one that broke off."""
        if self._response.truncated:
            raise ProviderFault(f"The answer of {locate(self._response.url).authority} is too large, or broke off.")
        return json.loads(self._response.body)


class OutboundSession:
    """Sends requests within `policy`: to checked, pinned addresses, without cookies, proxies and redirects."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a GET. Raises ProviderFault where there is no answer, or one that leads elsewhere."""
        return self.request("GET", url, headers=headers)

    def post(
        self,
        url: str,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Any = None,
    ) -> Reply:
        """Send a form; `auth` is Authlib's, which adds the client's name and secret. Raises ProviderFault."""
        body, sent = urlencode(data or {}), dict(headers or {})
        if auth is not None:
            url, sent, body = auth.prepare("POST", url, sent, body)
        return self.request("POST", url, headers=sent, body=body)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Reply:
        """Send a request. Raises ProviderFault where there is no answer, or one that leads elsewhere."""
        require_secure(url, self._policy)
        sent = {"Accept": "application/json", **(headers or {})}
        content = None if body is None else body.encode()
        try:
            response = fetch(method, url, self._policy, headers=sent, body=content, follow=False)
        except (Refused, Unreachable) as failure:
            raise ProviderFault(f"{failure.why}.") from None
        if 300 <= response.status < 400:
            raise ProviderFault(
                f"{locate(url).authority} leads elsewhere (status {response.status}); we do not follow."
            )
        return Reply(response)


def require_secure(url: str, policy: Policy) -> None:
    """Return if `url` is https, or plain http to an address that the operator named. Raises ProviderFault."""
    try:
        place = locate(url)
    except Refused as refusal:
        raise ProviderFault(f"{refusal.why}.") from None
    if place.scheme != "https" and f"{place.host}:{place.port}" not in policy.allowed:
        raise ProviderFault(f"{place.authority} must be reached over https.")
